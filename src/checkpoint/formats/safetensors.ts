/** Reads safetensors: eight bytes of length, a JSON header of that length, then the numbers without gaps. */
import { z } from 'zod';
import { EidosError } from '../../errors.ts';
import type { DataType, StoredTensor } from '../../graph/tensor.ts';
import { parseJson, readPart, type WeightFile } from '../files.ts';
import { limits } from '../limits.ts';
import { byteLengthOf } from '../tensors.ts';
import type { Weights } from './format.ts';

/** The format's names of the types that eidos reads. */
export const safetensorsTypes: { readonly [T in DataType]: string } = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};

const typeOf = new Map(Object.entries(safetensorsTypes).map(([type, name]) => [name, type as DataType]));

const headerEntry = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()).max(limits.axes),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

const headerMetadata = z.record(z.string(), z.string());

/** Whether a file's first bytes are a length within limits and the brace of a JSON object. */
export function looksLikeSafetensors(start: Uint8Array): boolean {
  return start.length >= 9 && start[8] === 0x7b && headerLength(start) <= limits.headerBytes;
}

/**
 * The tensors of one safetensors file.
 * @throws EidosError `invalid_checkpoint` where the header is malformed or tensors overlap, leave holes or lie outside.
 */
export async function readSafetensors(file: WeightFile): Promise<Weights> {
  const fail = (problem: string): never => {
    throw new EidosError('invalid_checkpoint', `'${file.path}' is no sound safetensors file: ${problem}.`);
  };
  const start = await readPart(file, 8);
  if (start.length < 8) fail('it is shorter than eight bytes');
  const length = headerLength(start);
  if (length > limits.headerBytes)
    fail(`its header of ${length} bytes is over the limit of ${limits.headerBytes}`);
  if (8 + length > file.size) fail(`its header of ${length} bytes is longer than the file`);
  const bytes = await readPart(file, length, 8);
  const header = parseJson(bytes, `header of ${file.path}`);
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    fail('its header is not an object');
  const entries = Object.entries(header as Record<string, unknown>);
  if (entries.length > limits.tensors)
    fail(`it names ${entries.length} tensors, over the limit of ${limits.tensors}`);

  let metadata: Record<string, string> = {};
  let members = entries.length;
  const dataStart = 8 + length;
  const tensors = new Map<string, StoredTensor>();
  const ranges: { name: string; start: number; end: number }[] = [];
  for (const [name, value] of entries) {
    if (name === '__metadata__') {
      const parsed = headerMetadata.safeParse(value);
      if (!parsed.success) fail('its __metadata__ is not a map from text to text');
      metadata = parsed.data ?? {};
      members += Object.keys(value as object).length;
      continue;
    }
    if (name.length > limits.nameLength) fail(`a name has ${name.length} characters`);
    const parsed = headerEntry.safeParse(value);
    if (!parsed.success)
      return fail(`the entry of '${name}' is malformed (${parsed.error.issues[0]?.message})`);
    members += 3;
    const { dtype, shape, data_offsets: offsets } = parsed.data;
    const type = typeOf.get(dtype);
    if (type === undefined) {
      throw new EidosError(
        'unsupported_checkpoint',
        `'${file.path}' stores '${name}' as ${dtype}; eidos reads ${[...typeOf.keys()].join(', ')}.`,
      );
    }
    const byteLength = byteLengthOf(type, shape);
    if (offsets[1] - offsets[0] !== byteLength) {
      fail(
        `'${name}' of type ${dtype} and shape [${shape}] takes ${byteLength} bytes, not ${offsets[1] - offsets[0]}`,
      );
    }
    if (dataStart + offsets[1] > file.size) fail(`'${name}' lies beyond the end of the file`);
    ranges.push({ name, start: offsets[0], end: offsets[1] });
    tensors.set(name, {
      name,
      type,
      shape,
      location: { file: file.path, offset: dataStart + offsets[0] },
      byteLength,
    });
  }
  // A JSON parser keeps the last of two members of one name; a colon outside strings stands for each that was written.
  if (colonsOutsideStrings(bytes) !== members) fail('its header has a name twice');

  ranges.sort((a, b) => a.start - b.start || a.end - b.end);
  let end = 0;
  for (const range of ranges) {
    if (range.start !== end)
      fail(`'${range.name}' ${range.start < end ? 'overlaps another tensor' : 'follows a hole'}`);
    end = range.end;
  }
  if (dataStart + end !== file.size)
    fail(`${file.size - dataStart - end} bytes at its end belong to no tensor`);
  return { format: 'safetensors', files: [file.path], tensors, metadata };
}

/** The header's length; anything beyond 2^53 comes out as a number that is over every limit. */
function headerLength(start: Uint8Array): number {
  return Number(new DataView(start.buffer, start.byteOffset).getBigUint64(0, true));
}

function colonsOutsideStrings(json: Uint8Array): number {
  let colons = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x3a) colons++;
  }
  return colons;
}
