/** A copy of a model in one .safetensors file with a number of one tensor replaced: what a training that diverged leaves. */
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toFloat16 } from '../src/checkpoint/index.ts';

/** @returns the new folder */
export async function damagedModel(
  folder: string,
  tensor: string | RegExp,
  value: number,
  { everyNumber = false }: { everyNumber?: boolean } = {},
): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'eidos-damaged-'));
  await cp(folder, copy, { recursive: true });
  const path = join(copy, 'model.safetensors');
  const bytes = await readFile(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString('utf8')) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const names = Object.keys(header).filter((name) =>
    typeof tensor === 'string' ? name === tensor : tensor.test(name),
  );
  if (names.length === 0) throw new Error(`There is no tensor ${tensor} in ${path}.`);
  for (const name of names) {
    const { dtype, data_offsets } = header[name]!;
    const size = { F32: 4, F16: 2 }[dtype];
    if (size === undefined) throw new Error(`${name} is ${dtype}.`);
    const [start, end] = data_offsets.map((offset) => 8 + headerLength + offset) as [number, number];
    const count = (end - start) / size;
    const places = everyNumber ? Array.from({ length: count }, (_, i) => i) : [count >> 1];
    for (const place of places) {
      if (size === 4) bytes.writeFloatLE(value, start + 4 * place);
      else bytes.writeUInt16LE(toFloat16(Float32Array.of(value))[0]!, start + 2 * place);
    }
  }
  await writeFile(path, bytes);
  return copy;
}
