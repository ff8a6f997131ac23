/** Where the weights of a program lie, as onnxruntime wants it: relative to one folder that holds them all. */
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { EidosError } from '../../errors.ts';
import type { BoundTensor } from '../../graph/tensor.ts';
import type { OnnxTensor } from './encode.ts';

/** The innermost folder that holds all weight files; onnxruntime reads nothing outside it. */
export function commonFolder(tensors: Iterable<BoundTensor>): string | undefined {
  let folder: string | undefined;
  for (const { location } of tensors) {
    if (!('file' in location)) continue;
    const own = dirname(resolve(location.file));
    if (folder === undefined) folder = own;
    while (!holds(folder, own)) {
      const parent = dirname(folder);
      if (parent === folder) {
        throw new EidosError(
          'invalid_checkpoint',
          `${own} and ${folder} lie on different drives; put the files side by side.`,
        );
      }
      folder = parent;
    }
  }
  return folder;
}

/** A tensor's bytes, or its place in a file of the folder. */
export function placeIn(folder: string | undefined, tensor: BoundTensor): OnnxTensor['data'] {
  if ('bytes' in tensor.location) return tensor.location.bytes;
  const { file, offset } = tensor.location;
  return { file: relative(folder!, file), offset, byteLength: tensor.byteLength };
}

/** The files that tensors lie in, each once. */
export function filesOf(tensors: Iterable<OnnxTensor>, folder: string | undefined): string[] {
  const files = new Set<string>();
  for (const { data } of tensors) {
    if (!(data instanceof Uint8Array)) files.add(join(folder!, data.file));
  }
  return [...files].sort();
}

/** Whether one folder lies in another, or is it. */
function holds(folder: string, inner: string): boolean {
  const way = relative(folder, inner);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
