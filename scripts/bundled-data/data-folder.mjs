/** Writes what the trainer reads as an index file: `index.jsonl` and one archive, `train.tar`. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const block = 512;

/**
 * @param {string} folder
 */
export async function createDataFolder(folder) {
  await mkdir(folder, { recursive: true });
  const archive = join(folder, 'train.tar');
  const stream = createWriteStream(`${archive}.part`);
  /** @type {string[]} */
  const lines = [];
  const names = new Set();

  return {
    /**
     * @param {string} file its name in the archive, at most 100 bytes
     * @param {Buffer} bytes
     * @param {Record<string, unknown>} words `label`, and captions by language
     */
    async add(file, bytes, words) {
      if (names.has(file)) throw new Error(`${file} stands twice in ${folder}.`);
      names.add(file);
      const padding = Buffer.alloc((block - (bytes.length % block)) % block);
      if (!stream.write(Buffer.concat([tarHeader(file, bytes.length), bytes, padding]))) {
        await once(stream, 'drain');
      }
      lines.push(JSON.stringify({ file, split: 'train', ...words }));
    },

    /** Both files are whole, or not there. */
    async close() {
      stream.end(Buffer.alloc(2 * block));
      await once(stream, 'finish');
      await rename(`${archive}.part`, archive);
      await writeFile(join(folder, 'index.jsonl'), `${lines.join('\n')}\n`);
      return lines.length;
    },
  };
}

/**
 * The header of a file (POSIX ustar).
 * @param {string} name
 * @param {number} length
 */
function tarHeader(name, length) {
  if (Buffer.byteLength(name) > 100) throw new Error(`${name} is longer than an archive's names may be.`);
  const header = Buffer.alloc(block);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
