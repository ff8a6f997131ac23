/** The models that can be used here: the bundled one, what the hub's cache holds, and some that the hub has. */
import { existsSync } from 'node:fs';
import { listCachedModels } from '../../checkpoint/hub/list.ts';
import { bundledFolder, bundledModel } from '../../clip/load.ts';

export interface AvailableModel {
  /** What --model takes. */
  model: string;
  /** `bundled` comes with eidos, `cached` is on this machine, `hub` is fetched when it is first used. */
  place: 'bundled' | 'cached' | 'hub';
  folder?: string;
  bytes?: number;
}

/** Published models whose layouts eidos is tested against; others of the same families load as well. */
const published = [
  'openai/clip-vit-base-patch32',
  'openai/clip-vit-base-patch16',
  'openai/clip-vit-large-patch14',
  'openai/clip-vit-large-patch14-336',
  'google/siglip-base-patch16-224',
  'google/siglip-so400m-patch14-384',
  'laion/CLIP-ViT-B-32-laion2B-s34B-b79K',
  'laion/CLIP-ViT-H-14-laion2B-s32B-b79K',
  'timm/ViT-B-16-SigLIP',
];

export async function listModels(): Promise<AvailableModel[]> {
  const folder = bundledFolder();
  const bundled: AvailableModel[] = existsSync(folder)
    ? [{ model: bundledModel, place: 'bundled', folder }]
    : [];
  const cached = (await listCachedModels()).map(({ id, ...rest }) => ({
    model: id,
    place: 'cached' as const,
    ...rest,
  }));
  const known = new Set(cached.map(({ model }) => model));
  const others = published
    .filter((model) => !known.has(model))
    .map((model) => ({ model, place: 'hub' as const }));
  return [...bundled, ...cached, ...others];
}
