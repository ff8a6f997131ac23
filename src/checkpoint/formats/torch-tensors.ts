/** From PyTorch's objects to named tensors: dictionaries and modules become dotted names, views become ranges of the file. */
import { EidosError } from '../../errors.ts';
import { bytesPerElement, elementCount, type StoredTensor } from '../../graph/tensor.ts';
import { limits } from '../limits.ts';
import { readRange } from '../tensors.ts';
import { PickleObject, PickleTuple, type PickleValue } from './pickle.ts';
import { type TorchStorage, TorchTensor } from './torch-objects.ts';

/** Times the file's size that may be read for copies: the three parts of one matrix of columns take three. */
const readBudget = 8;

/** Where a storage's bytes lie. */
export interface StoragePlace {
  file: string;
  offset: number;
  byteLength: number;
}

/**
 * All tensors within a value by name, and the text, numbers and switches beside them.
 * @param locate finds a storage in the file.
 * @param fileSize bounds what non-contiguous views may take once copied.
 */
export async function namedTensors(
  root: PickleValue,
  file: string,
  fileSize: number,
  locate: (storage: TorchStorage) => Promise<StoragePlace>,
): Promise<{ tensors: Map<string, StoredTensor>; metadata: Record<string, string> }> {
  const { views, metadata } = flatten(root, file);
  const tensors = new Map<string, StoredTensor>();
  let copied = 0;
  let read = 0;
  for (const [name, view] of views) {
    const place = await locate(view.storage);
    checkView(name, view, place, file);
    const type = view.storage.type;
    const byteLength = elementCount(view.shape) * bytesPerElement[type];
    if (isContiguous(view)) {
      const location = { file: place.file, offset: place.offset + view.offset * bytesPerElement[type] };
      tensors.set(name, { name, type, shape: view.shape, location, byteLength });
      continue;
    }
    copied += byteLength;
    read += spanOf(view) * bytesPerElement[type];
    if (copied > fileSize || read > readBudget * fileSize) {
      throw new EidosError(
        'invalid_checkpoint',
        `'${file}' repeats its numbers in views that take more than the file itself; '${name}' is one.`,
      );
    }
    tensors.set(name, {
      name,
      type,
      shape: view.shape,
      location: { bytes: await gather(view, place) },
      byteLength,
    });
  }
  return { tensors, metadata };
}

/** A walk of bounded depth and length: objects may be shared, and a few shared ones can stand for millions. */
function flatten(
  root: PickleValue,
  file: string,
): { views: Map<string, TorchTensor>; metadata: Record<string, string> } {
  const views = new Map<string, TorchTensor>();
  const metadata = new Map<string, string>();
  let visited = 0;
  const refuse = (problem: string): never => {
    throw new EidosError('invalid_checkpoint', `'${file}' ${problem}.`);
  };
  const visit = (value: PickleValue, name: string, depth: number): void => {
    if (++visited > limits.visited) refuse(`holds more than ${limits.visited} objects`);
    if (depth > limits.depth) refuse(`nests its objects deeper than ${limits.depth}`);
    if (name.length > limits.nameLength) refuse(`has a name of more than ${limits.nameLength} characters`);
    if (value instanceof TorchTensor) {
      if (views.has(name)) refuse(`names '${name}' twice`);
      if (views.size >= limits.tensors) refuse(`holds more than ${limits.tensors} tensors`);
      views.set(name, value);
      return;
    }
    const inner = (key: string) => (name === '' ? key : `${name}.${key}`);
    if (value instanceof Map) for (const [key, one] of value) visit(one, inner(key), depth + 1);
    else if (value instanceof PickleObject)
      for (const [key, one] of value.attributes) visit(one, inner(key), depth + 1);
    else if (value instanceof PickleTuple)
      for (const [i, one] of value.items.entries()) visit(one, inner(String(i)), depth + 1);
    else if (Array.isArray(value))
      for (const [i, one] of value.entries()) visit(one, inner(String(i)), depth + 1);
    // Switches of every module of a TorchScript archive are left out: only what stands at the top says something.
    else if (
      depth <= 1 &&
      value !== null &&
      ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
    ) {
      metadata.set(name, String(value).slice(0, limits.nameLength));
    }
  };
  visit(root, '', 0);
  return { views, metadata: Object.fromEntries(metadata) };
}

/** Every element of the view must lie within its storage, and there may not be more of them than the storage has. */
function checkView(name: string, view: TorchTensor, place: StoragePlace, file: string): void {
  const { storage, shape, strides, offset } = view;
  const refuse = (problem: string): never => {
    throw new EidosError(
      'invalid_checkpoint',
      `'${file}': the tensor '${name}' of shape [${shape}] ${problem}.`,
    );
  };
  if (shape.length !== strides.length || shape.length > limits.axes)
    refuse(`has ${shape.length} axes and ${strides.length} strides`);
  const bytes = storage.size * bytesPerElement[storage.type];
  if (bytes > place.byteLength)
    refuse(`is a view of ${bytes} bytes where the file holds ${place.byteLength}`);
  const count = elementCount(shape);
  if (count > storage.size) refuse(`has more elements than the ${storage.size} it is a view of`);
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), offset);
  if (count > 0 && last >= storage.size)
    refuse(`reaches beyond the ${storage.size} elements it is a view of`);
  if (count === 0 && offset > storage.size) refuse('begins beyond its storage');
}

function isContiguous({ shape, strides }: TorchTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis]!;
    if (size === 0) return true;
    // The stride of an axis of one element is never used.
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Elements from the first to the last of a view that is not empty. */
function spanOf({ shape, strides }: TorchTensor): number {
  return shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 1);
}

/** Copies a view's elements in row-major order. */
async function gather(view: TorchTensor, place: StoragePlace): Promise<Uint8Array> {
  const size = bytesPerElement[view.storage.type];
  const source = new Uint8Array(spanOf(view) * size);
  await readRange(place.file, place.offset + view.offset * size, source);
  const { shape, strides } = view;
  const result = new Uint8Array(elementCount(shape) * size);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < result.length; to += size) {
    for (let byte = 0; byte < size; byte++) result[to + byte] = source[from * size + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}
