/** @huggingface/transformers on the folders that eidos exports: nothing is fetched. */
import { basename, dirname } from 'node:path';

/**
 * The part of its interface that is used here; its own types are there only once it is installed.
 * @typedef {{ data: Float32Array | BigInt64Array, dims: number[] }} PeerTensor
 * @typedef {(inputs: object) => Promise<Record<string, PeerTensor>>} PeerModel
 * @typedef {{ from_pretrained(name: string, options?: object): Promise<PeerModel> }} PeerModelClass
 * @typedef {{
 *   env: { allowRemoteModels: boolean, localModelPath: string },
 *   RawImage: { read(path: string): Promise<unknown> },
 *   AutoProcessor: { from_pretrained(name: string): Promise<(images: unknown[]) => Promise<{ pixel_values: PeerTensor }>> },
 *   AutoTokenizer: { from_pretrained(name: string): Promise<(texts: string[], options: object) => Record<string, PeerTensor>> },
 *   CLIPVisionModelWithProjection: PeerModelClass,
 *   CLIPTextModelWithProjection: PeerModelClass,
 *   CLIPModel: PeerModelClass,
 *   SiglipModel: PeerModelClass,
 *   SiglipTextModel: PeerModelClass,
 *   SiglipVisionModel: PeerModelClass,
 * }} Peer
 */

/**
 * @param {string} folder of a model; its name is that of the model from here on
 * @returns {Promise<{ peer: Peer, name: string }>}
 */
export async function transformersJs(folder) {
  const package_ = '@huggingface/transformers';
  /** @type {Peer} */
  const peer = await import(package_);
  peer.env.allowRemoteModels = false;
  peer.env.localModelPath = `${dirname(folder)}/`;
  return { peer, name: basename(folder) };
}
