/** Writes small PyTorch files for tests, sound and hostile ones: opcodes of pickles, zips of uncompressed entries. */
import { deflateRawSync } from 'node:zlib';

const ascii = (text: string) => [...new TextEncoder().encode(text)];
const u32 = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
const u16 = (value: number) => [value & 255, (value >>> 8) & 255];

/** Instructions of the pickle machine. */
export const op = {
  start: [0x80, 2],
  stop: [0x2e],
  mark: [0x28],
  tuple: [0x74],
  emptyTuple: [0x29],
  dict: [0x7d],
  list: [0x5d],
  append: [0x61],
  setItem: [0x73],
  setItems: [0x75],
  reduce: [0x52],
  build: [0x62],
  newObject: [0x81],
  persistent: [0x51],
  none: [0x4e],
  no: [0x89],
  text: (value: string) => [0x58, ...u32(new TextEncoder().encode(value).length), ...ascii(value)],
  int: (value: number) => [0x4a, ...u32(value)],
  int64: (value: bigint) => [0x8a, 8, ...new Uint8Array(BigInt64Array.of(value).buffer)],
  global: (module: string, name: string) => [0x63, ...ascii(`${module}\n${name}\n`)],
  put: (index: number) => [0x72, ...u32(index)],
  get: (index: number) => [0x6a, ...u32(index)],
};

export interface TensorSpec {
  storage: string;
  key: string;
  size: number;
  offset?: number;
  shape: number[];
  strides: number[];
}

/** A tensor as PyTorch pickles it. */
export function tensor(
  { storage, key, size, offset = 0, shape, strides }: TensorSpec,
  legacy = false,
): number[] {
  const numbers = (values: number[]) => [
    ...op.mark,
    ...values.flatMap((value) => op.int64(BigInt(value))),
    ...op.tuple,
  ];
  return [
    ...op.global('torch._utils', '_rebuild_tensor_v2'),
    ...op.mark,
    ...op.mark,
    ...op.text('storage'),
    ...op.global('torch', storage),
    ...op.text(key),
    ...op.text('cpu'),
    ...op.int64(BigInt(size)),
    ...(legacy ? op.none : []),
    ...op.tuple,
    ...op.persistent,
    ...op.int64(BigInt(offset)),
    ...numbers(shape),
    ...numbers(strides),
    ...op.no,
    ...op.global('collections', 'OrderedDict'),
    ...op.emptyTuple,
    ...op.reduce,
    ...op.tuple,
    ...op.reduce,
  ];
}

/** A pickle of a dictionary from names to what the instructions build. */
export function dictionary(entries: Record<string, number[]>): Uint8Array {
  const items = Object.entries(entries).flatMap(([name, value]) => [...op.text(name), ...value]);
  return Uint8Array.from([...op.start, ...op.dict, ...op.mark, ...items, ...op.setItems, ...op.stop]);
}

/** A zip archive; entries are stored, or deflated where asked. */
export function zip(entries: { name: string; bytes: Uint8Array; deflate?: boolean }[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: number[] = [];
  let offset = 0;
  for (const { name, bytes, deflate } of entries) {
    const stored = deflate === true ? deflateRawSync(bytes) : bytes;
    const common = [
      ...u16(deflate === true ? 8 : 0),
      ...u32(0),
      ...u32(0),
      ...u32(stored.length),
      ...u32(bytes.length),
      ...u16(ascii(name).length),
    ];
    const local = Uint8Array.from([
      ...ascii('PK'),
      3,
      4,
      ...u16(20),
      ...u16(0),
      ...common,
      ...u16(0),
      ...ascii(name),
    ]);
    directory.push(
      ...ascii('PK'),
      1,
      2,
      ...u16(20),
      ...u16(20),
      ...u16(0),
      ...common,
      ...u16(0),
      ...u16(0),
      ...u16(0),
      ...u16(0),
      ...u32(0),
      ...u32(offset),
      ...ascii(name),
    );
    parts.push(local, stored);
    offset += local.length + stored.length;
  }
  const count = u16(entries.length);
  const end = [
    ...ascii('PK'),
    5,
    6,
    ...u16(0),
    ...u16(0),
    ...count,
    ...count,
    ...u32(directory.length),
    ...u32(offset),
    ...u16(0),
  ];
  return Buffer.concat([...parts, Uint8Array.from(directory), Uint8Array.from(end)]);
}

/** A PyTorch archive of a pickle and storages. */
export function torchArchive(pickle: Uint8Array, storages: Record<string, Uint8Array>): Uint8Array {
  return zip([
    { name: 'model/data.pkl', bytes: pickle },
    ...Object.entries(storages).map(([key, bytes]) => ({ name: `model/data/${key}`, bytes })),
  ]);
}
