/** Reads what `torch.save` wrote before 2020: five pickles in a row, then each storage's length and numbers. */
import { EidosError } from '../../errors.ts';
import { bytesPerElement } from '../../graph/tensor.ts';
import { readPart, type WeightFile } from '../files.ts';
import { limits } from '../limits.ts';
import type { Weights } from './format.ts';
import { type PickleValue, readPickle } from './pickle.ts';
import { storageOf, type TorchStorage, torchGlobals } from './torch-objects.ts';
import { namedTensors, type StoragePlace } from './torch-tensors.ts';

/** The first pickle is the integer 0x1950a86a20f9469cfc6c. */
const magic = Uint8Array.of(
  0x80,
  2,
  0x8a,
  10,
  0x6c,
  0xfc,
  0x9c,
  0x46,
  0xf9,
  0x20,
  0x6a,
  0xa8,
  0x50,
  0x19,
  0x2e,
);

const protocolVersion = 1001;

export function looksLikeLegacyTorch(start: Uint8Array): boolean {
  return magic.every((byte, i) => start[i] === byte);
}

/** @throws EidosError `invalid_checkpoint` or `unsupported_checkpoint` naming the file and the problem. */
export async function readLegacyTorch(file: WeightFile): Promise<Weights> {
  // Nothing says how long the pickles are: a megabyte is nearly always enough, and what fails for want of more is repeated.
  for (let length = 1024 * 1024; length < limits.pickleBytes && length < file.size; length *= 8) {
    try {
      return await readPickles(file, await readPart(file, length));
    } catch (error) {
      if (!(error instanceof EidosError) || error.code !== 'invalid_checkpoint') throw error;
    }
  }
  return readPickles(file, await readPart(file, limits.pickleBytes));
}

async function readPickles(file: WeightFile, bytes: Uint8Array): Promise<Weights> {
  const storages = new Map<string, TorchStorage>();
  const environment = {
    file: file.path,
    find: torchGlobals(file.path, false),
    persistent(id: PickleValue): TorchStorage {
      const storage = storageOf(id, file.path);
      const known = storages.get(storage.key);
      if (known !== undefined && (known.type !== storage.type || known.size !== storage.size)) {
        return refuse(file, `describes the storage '${storage.key}' in two ways`);
      }
      storages.set(storage.key, known ?? storage);
      return known ?? storage;
    },
  };
  let position = 0;
  const next = (): PickleValue => {
    const { value, end } = readPickle(bytes.subarray(position), environment);
    position += end;
    return value;
  };
  next();
  if (next() !== protocolVersion) return refuse(file, `is not of PyTorch's protocol ${protocolVersion}`);
  const system = next();
  if (system instanceof Map && system.get('little_endian') === false) {
    return refuse(file, 'stores its numbers big-endian, which eidos does not read');
  }
  const root = next();
  const keys = next();
  if (!Array.isArray(keys)) return refuse(file, 'does not list its storages');
  const places = await locateStorages(file, position, keys, storages);
  const { tensors, metadata } = await namedTensors(root, file.path, file.size, async ({ key }) => {
    return places.get(key) ?? refuse(file, `does not hold the storage '${key}'`);
  });
  return { format: 'torch_legacy', files: [file.path], tensors, metadata };
}

/** The storages follow each other in the order of `keys`, each after the number of its elements in eight bytes. */
async function locateStorages(
  file: WeightFile,
  start: number,
  keys: PickleValue[],
  storages: ReadonlyMap<string, TorchStorage>,
): Promise<Map<string, StoragePlace>> {
  const places = new Map<string, StoragePlace>();
  let offset = start;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined || places.has(storage.key))
      return refuse(file, 'lists a storage that no tensor has, or one twice');
    const header = await readPart(file, 8, offset);
    if (header.length < 8) return refuse(file, 'ends before its storages do');
    const size = new DataView(header.buffer).getBigInt64(0, true);
    if (size !== BigInt(storage.size)) return refuse(file, `gives the storage '${storage.key}' two sizes`);
    const byteLength = storage.size * bytesPerElement[storage.type];
    offset += 8;
    if (offset + byteLength > file.size) return refuse(file, 'ends before its storages do');
    places.set(storage.key, { file: file.path, offset, byteLength });
    offset += byteLength;
  }
  return places;
}

function refuse(file: WeightFile, problem: string): never {
  throw new EidosError('invalid_checkpoint', `'${file.path}' ${problem}.`);
}
