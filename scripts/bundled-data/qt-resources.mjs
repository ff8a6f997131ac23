/** Qt's resource files (`.rcc`): a tree of names over compressed files. https://github.com/qt/qtbase, qresource.cpp */
import { spawnSync } from 'node:child_process';
import { inflateSync } from 'node:zlib';

const flags = { zlib: 1, folder: 2, zstandard: 4 };

/**
 * The files of a resource file by path.
 * @param {Buffer} bytes
 * @returns {Map<string, () => Buffer>}
 */
export function readQtResources(bytes) {
  if (bytes.toString('latin1', 0, 4) !== 'qres') throw new Error('This is no Qt resource file.');
  const [version, tree, data, names] = [4, 8, 12, 16].map((at) => bytes.readUInt32BE(at));
  if (version === undefined || tree === undefined || data === undefined || names === undefined) throw new Error();
  // Since version 2 a node ends with the time of its last change.
  const nodeBytes = version >= 2 ? 22 : 14;
  /** @type {Map<string, () => Buffer>} */
  const files = new Map();

  /**
   * @param {number} node
   * @param {string} folder
   */
  const visit = (node, folder) => {
    const at = tree + node * nodeBytes;
    const kind = bytes.readUInt16BE(at + 4);
    const path = node === 0 ? '' : `${folder}/${nameAt(bytes, names + bytes.readUInt32BE(at))}`;
    if ((kind & flags.folder) !== 0) {
      const [count, first] = [bytes.readUInt32BE(at + 6), bytes.readUInt32BE(at + 10)];
      for (let child = 0; child < count; child++) visit(first + child, path);
    } else {
      const start = data + bytes.readUInt32BE(at + 10);
      const packed = bytes.subarray(start + 4, start + 4 + bytes.readUInt32BE(start));
      files.set(path, () => unpack(packed, kind));
    }
  };
  visit(0, '');
  return files;
}

/**
 * @param {Buffer} bytes
 * @param {number} at
 */
function nameAt(bytes, at) {
  const text = bytes.subarray(at + 6, at + 6 + 2 * bytes.readUInt16BE(at));
  return Buffer.from(text).swap16().toString('utf16le');
}

/**
 * @param {Buffer} packed
 * @param {number} kind
 */
function unpack(packed, kind) {
  // Four bytes say how long it was.
  if ((kind & flags.zlib) !== 0) return inflateSync(packed.subarray(4));
  if ((kind & flags.zstandard) === 0) return packed;
  const { stdout, status } = spawnSync('zstd', ['-dc'], { input: packed, maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error('zstd could not unpack a file of the resources.');
  return stdout;
}
