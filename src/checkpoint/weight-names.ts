/** The names under which weights are published, and which of them are taken where there are several. */

/** The preferred first: safetensors before pickles, Hugging Face's layout before open_clip's. */
export const weightNames: readonly string[] = [
  'model.safetensors',
  'model.safetensors.index.json',
  'open_clip_model.safetensors',
  'open_clip_model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'open_clip_pytorch_model.bin',
  'model.pt',
];

const weightEndings = /\.(safetensors|bin|pt|pth|ckpt)$/;

/**
 * The file to open among the names of a folder: a known one, or the only one that can be weights.
 * @returns undefined with all candidates where that does not decide.
 */
export function chooseWeights(names: readonly string[]): { name: string | undefined; candidates: string[] } {
  const known = weightNames.find((name) => names.includes(name));
  const candidates = names.filter((name) => weightEndings.test(name) && !name.includes('/'));
  return { name: known ?? (candidates.length === 1 ? candidates[0] : undefined), candidates };
}
