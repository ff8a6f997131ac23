/** Opens a weight file of any known format; the content decides which one it is, not the name's ending. */
import { EidosError } from '../errors.ts';
import { locateFile, readPart, type WeightFile } from './files.ts';
import type { WeightFormat, Weights } from './formats/format.ts';
import { looksLikeSafetensors, readSafetensors } from './formats/safetensors.ts';
import { readSharded } from './formats/sharded.ts';
import { looksLikeLegacyTorch, readLegacyTorch } from './formats/torch-legacy.ts';
import { looksLikeZip, readTorchZip } from './formats/torch-zip.ts';

interface FormatRow {
  /** Judges by the first bytes of a file, up to 64. */
  recognise(start: Uint8Array): boolean;
  read(file: WeightFile): Promise<Weights>;
}

type SingleFileFormat = Exclude<WeightFormat, 'torchscript'>;

/** One row a format; TorchScript is told from other PyTorch archives by what the archive holds. */
const formats: { readonly [F in SingleFileFormat]: FormatRow } = {
  safetensors: { recognise: looksLikeSafetensors, read: readSafetensors },
  torch: { recognise: looksLikeZip, read: readTorchZip },
  torch_legacy: { recognise: looksLikeLegacyTorch, read: readLegacyTorch },
};

/**
 * The tensors of a weight file: safetensors, PyTorch's `.pt`/`.pth`/`.bin`/`.ckpt` with or without zip, TorchScript,
 * or the `.index.json` of a sharded one. Only tables of contents are read, nothing is executed.
 * @throws EidosError `not_found`, `invalid_checkpoint` or `unsupported_checkpoint`, naming the file and the problem.
 */
export async function openWeights(path: string): Promise<Weights> {
  return path.endsWith('.index.json') ? readSharded(path, openSingle) : openSingle(path);
}

async function openSingle(path: string): Promise<Weights> {
  const file = await locateFile(path);
  const start = await readPart(file, 64);
  for (const row of Object.values(formats)) {
    if (row.recognise(start)) return row.read(file);
  }
  throw new EidosError(
    'invalid_checkpoint',
    `'${path}' is no weight file that eidos knows (safetensors, PyTorch's zip or legacy format, TorchScript).${hint(start)}`,
  );
}

/** Two files are often found in place of weights: Git LFS pointers and web pages. */
function hint(start: Uint8Array): string {
  const text = new TextDecoder('latin1').decode(start).toLowerCase();
  if (text.startsWith('version https://git-lfs')) return ' It is a Git LFS pointer: run `git lfs pull`.';
  if (text.startsWith('<!doctype') || text.startsWith('<html'))
    return ' It is a web page: the download went wrong.';
  return '';
}
