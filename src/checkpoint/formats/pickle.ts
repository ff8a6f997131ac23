/**
 * Reads Python's pickles as data. A pickle is a small program for a stack machine; this machine knows the instructions
 * that build containers, numbers and text, and calls nothing but what the caller's table of globals names. Every
 * instruction takes time and memory in proportion to its own bytes, so a file cannot cost more than it weighs.
 */
import { EidosError } from '../../errors.ts';
import { limits } from '../limits.ts';

/** What comes out. Keys of dictionaries are text; numbers and the like as keys are written out. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleTuple
  | PickleValue[]
  | Map<string, PickleValue>
  | PickleGlobal
  | PickleObject
  | object;

/** A tuple; a class of its own, to tell it from a list. */
export class PickleTuple {
  readonly items: PickleValue[];
  constructor(items: PickleValue[]) {
    this.items = items;
  }
}

/** A class or function that was named and, being in the table, may be called. */
export interface PickleGlobal {
  readonly global: string;
  /** `f(...args)` or `C.__new__(C, ...args)`; the result stands for whatever Python would have made. */
  call(args: PickleValue[]): PickleValue;
}

/** An instance of a class whose attributes are kept and whose code is not. */
export class PickleObject {
  readonly type: string;
  readonly attributes = new Map<string, PickleValue>();
  constructor(type: string) {
    this.type = type;
  }
}

export interface PickleEnvironment {
  /** Names the file in errors. */
  file: string;
  /** The global of a module, or undefined where it is not allowed. */
  find(name: string): PickleGlobal | undefined;
  /** What a persistent id (PyTorch: a storage) stands for. */
  persistent(id: PickleValue): PickleValue;
}

/**
 * The value of the pickle at the start of `bytes`, and where it ends.
 * @throws EidosError `invalid_checkpoint` for a malformed pickle, `unsupported_checkpoint` naming a global or an
 * instruction that is not allowed.
 */
export function readPickle(
  bytes: Uint8Array,
  environment: PickleEnvironment,
): { value: PickleValue; end: number } {
  const machine = new Machine(bytes, environment);
  const value = machine.run();
  return { value, end: machine.position };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
const mark = Symbol('mark');
type Slot = PickleValue | typeof mark;

class Machine {
  position = 0;
  readonly stack: Slot[] = [];
  /** Positions of the marks, so that none is searched for. */
  readonly marks: number[] = [];
  readonly memo = new Map<number, PickleValue>();
  readonly environment: PickleEnvironment;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, environment: PickleEnvironment) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.environment = environment;
  }

  run(): PickleValue {
    for (;;) {
      const code = this.take(1)[0]!;
      if (code === 0x2e) return this.pop();
      const instruction = instructions.get(code);
      if (instruction === undefined) {
        throw new EidosError(
          'unsupported_checkpoint',
          `'${this.environment.file}' has the pickle instruction 0x${code.toString(16).padStart(2, '0')} at byte ${this.position - 1}, which weight files do not need; it was not run.`,
        );
      }
      instruction(this);
    }
  }

  fail(problem: string): never {
    throw new EidosError(
      'invalid_checkpoint',
      `'${this.environment.file}' is no sound pickle: ${problem} at byte ${this.position}.`,
    );
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.position) this.fail('it ends in the middle of an instruction');
    this.position += length;
    return this.#bytes.subarray(this.position - length, this.position);
  }

  /** An unsigned little-endian number of 1, 2, 4 or 8 bytes. */
  unsigned(size: 1 | 2 | 4 | 8): number {
    this.take(size);
    const at = this.position - size;
    if (size === 1) return this.#view.getUint8(at);
    if (size === 2) return this.#view.getUint16(at, true);
    if (size === 4) return this.#view.getUint32(at, true);
    return Number(this.#view.getBigUint64(at, true));
  }

  signed32(): number {
    return this.unsigned(4) | 0;
  }

  double(): number {
    this.take(8);
    return this.#view.getFloat64(this.position - 8, false);
  }

  /** Text up to a line feed, without it. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0 || end - this.position > limits.nameLength) this.fail('a line is too long');
    const text = this.text(end - this.position);
    this.position++;
    return text;
  }

  text(length: number): string {
    try {
      return utf8.decode(this.take(length));
    } catch (cause) {
      if (cause instanceof EidosError) throw cause;
      return this.fail('text is no UTF-8');
    }
  }

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  pop(): PickleValue {
    const value = this.stack.pop();
    if (value === undefined || value === mark) return this.fail('the stack is empty');
    return value;
  }

  top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined || value === mark) return this.fail('the stack is empty');
    return value;
  }

  pushMark(): void {
    this.marks.push(this.stack.length);
    this.stack.push(mark);
  }

  /** Everything above the last mark, which goes too. */
  popMark(): PickleValue[] {
    const at = this.marks.pop();
    if (at === undefined || at >= this.stack.length) return this.fail('there is no mark');
    const items = this.stack.splice(at);
    return items.slice(1) as PickleValue[];
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) this.fail(`the memo has no entry ${index}`);
    this.push(value as PickleValue);
  }

  /** A little-endian two's complement integer of any length; legacy files begin with one. */
  integer(length: number): number | bigint {
    if (length > limits.integerBytes) this.fail(`an integer has ${length} bytes`);
    let value = 0n;
    const bytes = this.take(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    value = BigInt.asIntN(length * 8, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  findGlobal(module: string, name: string): void {
    const full = `${module}.${name}`;
    const found = this.environment.find(full);
    if (found === undefined) {
      throw new EidosError(
        'unsupported_checkpoint',
        `'${this.environment.file}' asks for the Python object '${full}', which is not on the list of those that weights need; nothing was run. Save the model's state_dict() alone, or as safetensors.`,
      );
    }
    this.push(found);
  }

  call(): void {
    const args = this.pop();
    const target = this.pop();
    if (!(args instanceof PickleTuple) || !isGlobal(target))
      this.fail('something that cannot be called is called');
    this.push((target as PickleGlobal).call((args as PickleTuple).items));
  }

  build(): void {
    const state = this.pop();
    const target = this.top();
    // Dictionaries carry `_metadata` this way, tensors their Python attributes: nothing of it is weights.
    if (!(target instanceof PickleObject)) return;
    if (!(state instanceof Map)) return;
    for (const [name, value] of state) target.attributes.set(name, value);
  }

  append(items: PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) this.fail('something is appended to what is no list');
    for (const item of items) list.push(item);
  }

  setItems(items: PickleValue[]): void {
    const target = this.top();
    if (!(target instanceof Map) || items.length % 2 !== 0)
      this.fail('items are set on what is no dictionary');
    for (let i = 0; i < items.length; i += 2) target.set(this.key(items[i]!), items[i + 1]!);
  }

  key(value: PickleValue): string {
    if (typeof value === 'string') return value;
    if (
      value === null ||
      typeof value === 'number' ||
      typeof value === 'bigint' ||
      typeof value === 'boolean'
    ) {
      return String(value);
    }
    return this.fail('the key of a dictionary is neither text nor a number');
  }
}

export function isGlobal(value: unknown): value is PickleGlobal {
  return typeof value === 'object' && value !== null && 'global' in value && 'call' in value;
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}

/** Opcode → what it does. Left out on purpose: INST, OBJ, EXT, PERSID, NEWOBJ_EX, out-of-band buffers. */
const instructions: ReadonlyMap<number, (machine: Machine) => void> = new Map<
  number,
  (machine: Machine) => void
>([
  [0x80, (m) => (m.unsigned(1) > 5 ? m.fail('its protocol is unknown') : undefined)], // PROTO
  [0x95, (m) => void m.unsigned(8)], // FRAME: a hint for readers of streams
  [0x28, (m) => m.pushMark()], // MARK
  [
    0x30, // POP
    (m) => {
      if (m.stack.pop() === mark) m.marks.pop();
    },
  ],
  [0x31, (m) => void m.popMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4a, (m) => m.push(m.signed32())], // BININT
  [0x4b, (m) => m.push(m.unsigned(1))], // BININT1
  [0x4d, (m) => m.push(m.unsigned(2))], // BININT2
  [0x8a, (m) => m.push(m.integer(m.unsigned(1)))], // LONG1
  [0x8b, (m) => m.push(m.integer(m.unsigned(4)))], // LONG4
  [0x47, (m) => m.push(m.double())], // BINFLOAT
  [0x58, (m) => m.push(m.text(m.unsigned(4)))], // BINUNICODE
  [0x8c, (m) => m.push(m.text(m.unsigned(1)))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.text(m.unsigned(8)))], // BINUNICODE8
  [0x54, (m) => m.push(latin1(m.take(m.unsigned(4))))], // BINSTRING, of Python 2
  [0x55, (m) => m.push(latin1(m.take(m.unsigned(1))))], // SHORT_BINSTRING
  [0x42, (m) => m.push(m.take(m.unsigned(4)))], // BINBYTES
  [0x43, (m) => m.push(m.take(m.unsigned(1)))], // SHORT_BINBYTES
  [0x8e, (m) => m.push(m.take(m.unsigned(8)))], // BINBYTES8
  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x6c, (m) => m.push(m.popMark())], // LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.popMark())], // APPENDS
  [0x29, (m) => m.push(new PickleTuple([]))], // EMPTY_TUPLE
  [0x74, (m) => m.push(new PickleTuple(m.popMark()))], // TUPLE
  [0x85, (m) => m.push(new PickleTuple([m.pop()]))], // TUPLE1
  [0x86, (m) => m.push(new PickleTuple([m.pop(), m.pop()].reverse()))], // TUPLE2
  [0x87, (m) => m.push(new PickleTuple([m.pop(), m.pop(), m.pop()].reverse()))], // TUPLE3
  [0x7d, (m) => m.push(new Map<string, PickleValue>())], // EMPTY_DICT
  [
    0x64, // DICT
    (m) => {
      const items = m.popMark();
      m.push(new Map<string, PickleValue>());
      m.setItems(items);
    },
  ],
  [0x73, (m) => m.setItems([m.pop(), m.pop()].reverse())], // SETITEM
  [0x75, (m) => m.setItems(m.popMark())], // SETITEMS
  [0x8f, (m) => m.push([])], // EMPTY_SET: a list will do
  [0x90, (m) => m.append(m.popMark())], // ADDITEMS
  [0x91, (m) => m.push(m.popMark())], // FROZENSET
  [0x68, (m) => m.recall(m.unsigned(1))], // BINGET
  [0x6a, (m) => m.recall(m.unsigned(4))], // LONG_BINGET
  [0x71, (m) => m.remember(m.unsigned(1))], // BINPUT
  [0x72, (m) => m.remember(m.unsigned(4))], // LONG_BINPUT
  [0x94, (m) => m.remember(m.memo.size)], // MEMOIZE
  [0x63, (m) => m.findGlobal(m.line(), m.line())], // GLOBAL
  [
    0x93, // STACK_GLOBAL
    (m) => {
      const [name, module] = [m.pop(), m.pop()];
      if (typeof name !== 'string' || typeof module !== 'string') m.fail('a global has no name');
      m.findGlobal(String(module), String(name));
    },
  ],
  [0x52, (m) => m.call()], // REDUCE
  [0x81, (m) => m.call()], // NEWOBJ
  [0x62, (m) => m.build()], // BUILD
  [0x51, (m) => m.push(m.environment.persistent(m.pop()))], // BINPERSID
]);
