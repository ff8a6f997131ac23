/** What PyTorch's pickles may name: storages, tensors and containers. Nothing on this list runs anything. */
import { EidosError } from '../../errors.ts';
import type { DataType } from '../../graph/tensor.ts';
import { isGlobal, type PickleGlobal, PickleObject, PickleTuple, type PickleValue } from './pickle.ts';

/** A run of numbers in the file; tensors are views of it. `size` counts elements. */
export class TorchStorage {
  readonly type: DataType;
  readonly key: string;
  readonly size: number;
  constructor(type: DataType, key: string, size: number) {
    this.type = type;
    this.key = key;
    this.size = size;
  }
}

/** A view of a storage, not yet looked up in the file. Offset and strides count elements. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: number[];
  readonly strides: number[];
  constructor(storage: TorchStorage, offset: number, shape: number[], strides: number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** Class names of storages and the type of their elements. */
const storageTypes: Readonly<Record<string, DataType>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
};

/** A storage's class, which stands in persistent ids; it is never called. */
interface StorageClass extends PickleGlobal {
  elements: DataType;
}

/** Python's `file` in errors; the global's name; whether classes of a TorchScript archive count. */
export function torchGlobals(file: string, scripted: boolean): (name: string) => PickleGlobal | undefined {
  const malformed = (what: string): never => {
    throw new EidosError('invalid_checkpoint', `'${file}' describes ${what} that cannot be.`);
  };
  const global = (name: string, call: PickleGlobal['call']): [string, PickleGlobal] => [
    name,
    { global: name, call },
  ];
  const rebuild = (args: PickleValue[]): TorchTensor => {
    const [storage, offset, shape, strides] = args;
    if (!(storage instanceof TorchStorage) || !isCount(offset)) return malformed('a tensor');
    return new TorchTensor(storage, offset, counts(shape, malformed), counts(strides, malformed));
  };
  const list = (args: PickleValue[]): PickleValue => (Array.isArray(args[0]) ? args[0] : []);
  const table = new Map<string, PickleGlobal>([
    global('torch._utils._rebuild_tensor_v2', rebuild),
    global('torch._utils._rebuild_tensor', rebuild),
    global('torch._utils._rebuild_parameter', ([tensor]) => tensor ?? null),
    global('torch._utils._rebuild_parameter_with_state', ([tensor]) => tensor ?? null),
    global('torch.nn.parameter.Parameter', ([tensor]) => tensor ?? null),
    global('torch.Size', ([shape]) => shape ?? new PickleTuple([])),
    global('torch.device', () => null),
    global('collections.OrderedDict', ([pairs]) => dictionary(pairs, malformed)),
    global('builtins.set', ([items]) => (Array.isArray(items) ? items : [])),
    global('__builtin__.set', ([items]) => (Array.isArray(items) ? items : [])),
    global('torch.jit._pickle.build_intlist', list),
    global('torch.jit._pickle.build_doublelist', list),
    global('torch.jit._pickle.build_boollist', list),
    global('torch.jit._pickle.build_tensorlist', list),
    global('torch.jit._pickle.restore_type_tag', ([value]) => value ?? null),
  ]);
  for (const type of [
    'float64',
    'float32',
    'float16',
    'bfloat16',
    'int64',
    'int32',
    'int16',
    'int8',
    'uint8',
    'bool',
  ]) {
    table.set(`torch.${type}`, { global: `torch.${type}`, call: () => malformed('a call of a number type') });
  }
  for (const [name, elements] of Object.entries(storageTypes)) {
    const storageClass: StorageClass = {
      global: `torch.${name}`,
      elements,
      call: () => malformed('a storage'),
    };
    table.set(`torch.${name}`, storageClass);
    table.set(`torch.storage.${name}`, storageClass);
    table.set(`torch.cuda.${name}`, storageClass);
  }
  return (name) => {
    const found = table.get(name);
    if (found !== undefined || !scripted || !/^__torch__[.\w]*$/.test(name)) return found;
    return { global: name, call: () => new PickleObject(name) };
  };
}

/**
 * A persistent id as a storage: ('storage', class, key, device, size) and, in legacy files, where in another storage
 * this one begins.
 */
export function storageOf(id: PickleValue, file: string): TorchStorage {
  if (id instanceof PickleTuple) {
    const [kind, storageClass, key, , size, view] = id.items;
    const elements = isGlobal(storageClass) ? (storageClass as StorageClass).elements : undefined;
    if (
      kind === 'storage' &&
      elements !== undefined &&
      typeof key === 'string' &&
      isCount(size) &&
      (view ?? null) === null
    ) {
      return new TorchStorage(elements, key, size);
    }
  }
  throw new EidosError('invalid_checkpoint', `'${file}' refers to a storage in a way that PyTorch does not.`);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: PickleValue | undefined, malformed: (what: string) => never): number[] {
  const items = value instanceof PickleTuple ? value.items : value;
  if (!Array.isArray(items) || items.length > 64 || !items.every(isCount)) return malformed('a shape');
  return items as number[];
}

function dictionary(
  pairs: PickleValue | undefined,
  malformed: (what: string) => never,
): Map<string, PickleValue> {
  const result = new Map<string, PickleValue>();
  if (pairs === undefined) return result;
  if (!Array.isArray(pairs)) return malformed('a dictionary');
  for (const pair of pairs) {
    const items = pair instanceof PickleTuple ? pair.items : pair;
    if (!Array.isArray(items) || items.length !== 2 || typeof items[0] !== 'string')
      return malformed('a dictionary');
    result.set(items[0], items[1] as PickleValue);
  }
  return result;
}
