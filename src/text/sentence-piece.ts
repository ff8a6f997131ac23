/** SentencePiece's own model files: pieces with scores and kinds, how texts are cut and cleaned (sentencepiece_model.proto). */
import { invalidTokenizer } from './vocabulary-json.ts';

export interface SentencePieceModel {
  kind: 'Unigram' | 'BPE';
  pieces: readonly Piece[];
  /** The table of what characters become; empty where nothing is changed. */
  characterMap: Uint8Array;
  /** Whether a text begins with a space that it has not. */
  prefixSpace: boolean;
  byteFallback: boolean;
}

export interface Piece {
  text: string;
  score: number;
  /** What it is for. */
  role: 'normal' | 'unknown' | 'control' | 'user' | 'unused' | 'byte';
}

const roles = { 1: 'normal', 2: 'unknown', 3: 'control', 4: 'user', 5: 'unused', 6: 'byte' } as const;

/** Fields of a message: number, and what stands there. */
type Field = { number: number; value: number | Uint8Array };

const mostPieces = 1_000_000;

/** @throws EidosError `invalid_tokenizer` naming the file */
export function readSentencePiece(bytes: Uint8Array, file: string): SentencePieceModel {
  const refuse = (what: string): never => {
    throw invalidTokenizer(file, `it is no model of SentencePiece’s (${what}).`);
  };
  const pieces: Piece[] = [];
  let kind = 1;
  let byteFallback = false;
  let characterMap: Uint8Array = new Uint8Array();
  let prefixSpace = true;
  for (const { number, value } of fields(bytes, refuse)) {
    if (typeof value === 'number') continue;
    if (number === 1) {
      if (pieces.length >= mostPieces) refuse(`more than ${mostPieces} pieces`);
      pieces.push(readPiece(value, refuse));
    } else if (number === 2) {
      for (const field of fields(value, refuse)) {
        if (field.number === 3) kind = Number(field.value);
        if (field.number === 35) byteFallback = field.value === 1;
      }
    } else if (number === 3) {
      for (const field of fields(value, refuse)) {
        if (field.number === 2 && typeof field.value !== 'number') characterMap = field.value;
        if (field.number === 3) prefixSpace = field.value === 1;
      }
    }
  }
  if (pieces.length === 0) refuse('it has no pieces');
  if (kind !== 1 && kind !== 2) refuse(`its model_type is ${kind}, neither unigram nor bpe`);
  return { kind: kind === 1 ? 'Unigram' : 'BPE', pieces, characterMap, prefixSpace, byteFallback };
}

function readPiece(message: Uint8Array, refuse: (what: string) => never): Piece {
  let [text, score, role] = ['', 0, 1];
  for (const { number, value } of fields(message, refuse)) {
    if (number === 1 && typeof value !== 'number') text = Buffer.from(value).toString('utf8');
    if (number === 2 && typeof value !== 'number') {
      score = new DataView(value.buffer, value.byteOffset, 4).getFloat32(0, true);
    }
    if (number === 3) role = Number(value);
  }
  return { text, score, role: roles[role as keyof typeof roles] ?? refuse(`a piece has the type ${role}`) };
}

/** The wire format of protocol buffers, as far as these files use it; numbers of four bytes come as bytes. */
function* fields(bytes: Uint8Array, refuse: (what: string) => never): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return refuse('it ends within a number');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return refuse('a number has no end');
  };
  while (at < bytes.length) {
    const key = varint();
    const [number, type] = [Math.floor(key / 8), key % 8];
    if (type === 0) {
      yield { number, value: varint() };
      continue;
    }
    const length = type === 2 ? varint() : type === 5 ? 4 : type === 1 ? 8 : refuse(`wire type ${type}`);
    if (at + length > bytes.length) refuse('it ends within a field');
    yield { number, value: bytes.subarray(at, at + length) };
    at += length;
  }
}
