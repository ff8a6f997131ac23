/** Reads what `torch.save` and `torch.jit.save` write since 2020: a zip of a pickle and one uncompressed entry a storage. */
import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { EidosError } from '../../errors.ts';
import { readPart, type WeightFile } from '../files.ts';
import { limits } from '../limits.ts';
import type { Weights } from './format.ts';
import { readPickle } from './pickle.ts';
import { storageOf, torchGlobals } from './torch-objects.ts';
import { namedTensors, type StoragePlace } from './torch-tensors.ts';

const openZip = promisify<string, yauzl.Options, ZipFile>(yauzl.open);

export function looksLikeZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4;
}

/**
 * The tensors of a PyTorch archive; of a TorchScript archive those of its modules, named by their attributes.
 * @throws EidosError `invalid_checkpoint` or `unsupported_checkpoint` naming the file and the problem.
 */
export async function readTorchZip(file: WeightFile): Promise<Weights> {
  const zip = await openZip(file.path, { lazyEntries: true, autoClose: false, strictFileNames: false }).catch(
    (cause: unknown) => refuse(file, `is no sound zip archive (${message(cause)})`, cause),
  );
  try {
    const entries = await listEntries(zip, file);
    const pickleName = [...entries.keys()].find((name) => /^([^/]*\/)?data\.pkl$/.test(name));
    if (pickleName === undefined) return refuse(file, "holds no 'data.pkl', so it is no archive of PyTorch");
    const root = pickleName.slice(0, -'data.pkl'.length);
    const scripted = entries.has(`${root}constants.pkl`);
    const locate = (name: string): Promise<StoragePlace> => locateEntry(zip, entries.get(name), name, file);

    const order = entries.has(`${root}byteorder`) ? await locate(`${root}byteorder`) : undefined;
    if (order !== undefined && order.byteLength < 16) {
      const text = new TextDecoder().decode(await readPart(file, order.byteLength, order.offset));
      if (text === 'big') return refuse(file, 'stores its numbers big-endian, which eidos does not read');
    }
    const pickle = await locate(pickleName);
    if (pickle.byteLength > limits.pickleBytes)
      return refuse(file, `has a pickle of ${pickle.byteLength} bytes`);
    const { value } = readPickle(await readPart(file, pickle.byteLength, pickle.offset), {
      file: file.path,
      find: torchGlobals(file.path, scripted),
      persistent: (id) => storageOf(id, file.path),
    });
    const places = new Map<string, Promise<StoragePlace>>();
    const { tensors, metadata } = await namedTensors(value, file.path, file.size, ({ key }) => {
      const known = places.get(key) ?? locate(`${root}data/${key}`);
      places.set(key, known);
      return known;
    });
    return { format: scripted ? 'torchscript' : 'torch', files: [file.path], tensors, metadata };
  } finally {
    zip.close();
  }
}

/** The archive's table of contents. */
function listEntries(zip: ZipFile, file: WeightFile): Promise<Map<string, Entry>> {
  return new Promise((resolve, reject) => {
    const entries = new Map<string, Entry>();
    const fail = (problem: string, cause?: unknown): void => {
      reject(new EidosError('invalid_checkpoint', `'${file.path}' ${problem}.`, { cause }));
    };
    zip.on('error', (error: unknown) => fail(`is no sound zip archive (${message(error)})`, error));
    zip.on('end', () => resolve(entries));
    zip.on('entry', (entry: Entry) => {
      if (entries.size >= limits.zipEntries) return fail(`holds more than ${limits.zipEntries} entries`);
      if (entries.has(entry.fileName)) return fail(`holds '${entry.fileName}' twice`);
      entries.set(entry.fileName, entry);
      zip.readEntry();
    });
    zip.readEntry();
  });
}

/** Where an entry's bytes lie; they must be there as they are. */
async function locateEntry(
  zip: ZipFile,
  entry: Entry | undefined,
  name: string,
  file: WeightFile,
): Promise<StoragePlace> {
  if (entry === undefined) return refuse(file, `lacks the entry '${name}'`);
  if (
    entry.compressionMethod !== 0 ||
    entry.isEncrypted() ||
    entry.compressedSize !== entry.uncompressedSize
  ) {
    return refuse(
      file,
      `stores '${name}' compressed or encrypted; PyTorch stores it as it is, so unpack and save it again`,
    );
  }
  const header = await zip
    .readLocalFileHeaderPromise(entry, { minimal: true })
    .catch((cause: unknown) => refuse(file, `has no sound entry '${name}' (${message(cause)})`, cause));
  const place = { file: file.path, offset: header.fileDataStart, byteLength: entry.compressedSize };
  if (place.offset + place.byteLength > file.size)
    return refuse(file, `ends before its entry '${name}' does`);
  return place;
}

function refuse(file: WeightFile, problem: string, cause?: unknown): never {
  throw new EidosError('invalid_checkpoint', `'${file.path}' ${problem}.`, { cause });
}

function message(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
