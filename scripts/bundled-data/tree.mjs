/** The files of a source: those of a commit in a git directory, or those of a folder (an unpacked package). */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

/**
 * @typedef {object} Tree
 * @property {string[]} paths of all files, sorted
 * @property {(paths: readonly string[]) => AsyncGenerator<{ path: string, bytes: Buffer }>} read in the order of `paths`;
 *   a file that a snapshot lacks is passed over
 * @property {(path: string) => Promise<string>} text of one file, as UTF-8
 */

/**
 * @param {string} place a git directory or a folder
 * @param {string} [version] the commit, where the place is a git directory
 * @returns {Promise<Tree>}
 */
export async function openTree(place, version = 'HEAD') {
  const git = [place, join(place, '.git'), join(place, 'repo')].find((folder) =>
    existsSync(join(folder, 'objects')),
  );
  const { paths, read } = git === undefined ? await openFolder(place) : await openCommit(git, version);
  return {
    paths,
    read,
    async text(path) {
      for await (const { bytes } of read([path])) return bytes.toString('utf8');
      throw new Error(`${place} has no ${path}.`);
    },
  };
}

/** @param {string} folder */
async function openFolder(folder) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = found
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
  return {
    paths,
    /** @param {readonly string[]} wanted */
    async *read(wanted) {
      for (const path of wanted) yield { path, bytes: await readFile(join(folder, path)) };
    },
  };
}

/**
 * @param {string} directory
 * @param {string} commit
 */
async function openCommit(directory, commit) {
  const { stdout } = await promisify(execFile)(
    'git',
    ['--git-dir', directory, 'ls-tree', '-r', '-z', commit],
    {
      maxBuffer: 256 * 1024 * 1024,
    },
  );
  /** @type {Map<string, string>} */
  const ids = new Map();
  for (const line of stdout.split('\0')) {
    const [, id, path] = /^\d+ blob (\w+)\t(.*)$/s.exec(line) ?? [];
    if (id !== undefined && path !== undefined) ids.set(path, id);
  }
  if (ids.size === 0) throw new Error(`${directory} has no commit ${commit}.`);
  return {
    paths: [...ids.keys()].sort(),
    /** @param {readonly string[]} wanted */
    read: (wanted) => readBlobs(directory, wanted, ids),
  };
}

/**
 * One `git cat-file` answers all questions; the answers come as `ID blob LENGTH`, the bytes, and a line end.
 * @param {string} directory
 * @param {readonly string[]} paths
 * @param {ReadonlyMap<string, string>} ids
 */
async function* readBlobs(directory, paths, ids) {
  const child = spawn('git', ['--git-dir', directory, 'cat-file', '--batch'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const asking = (async () => {
    for (const path of paths) {
      const id = ids.get(path);
      if (id === undefined) throw new Error(`${directory} has no ${path}.`);
      if (!child.stdin.write(`${id}\n`)) await once(child.stdin, 'drain');
    }
    child.stdin.end();
  })();
  asking.catch((error) => child.stdout.destroy(error));
  try {
    const stream = byteReader(child.stdout);
    for (const path of paths) {
      const [, kind, length] = (await stream.line()).split(' ');
      if (kind === 'missing') continue;
      const bytes = await stream.bytes(Number(length));
      await stream.bytes(1);
      yield { path, bytes };
    }
  } finally {
    child.stdin.destroy();
    child.kill();
  }
}

/** @param {AsyncIterable<Buffer>} source */
function byteReader(source) {
  const chunks = source[Symbol.asyncIterator]();
  /** @type {Buffer} */
  let rest = Buffer.alloc(0);
  const more = async () => {
    const { value, done } = await chunks.next();
    if (done) throw new Error('git ended before its last answer.');
    return /** @type {Buffer} */ (value);
  };
  return {
    async line() {
      let end = rest.indexOf(10);
      while (end < 0) {
        rest = Buffer.concat([rest, await more()]);
        end = rest.indexOf(10);
      }
      const text = rest.toString('utf8', 0, end);
      rest = rest.subarray(end + 1);
      return text;
    },
    /** @param {number} length */
    async bytes(length) {
      const parts = [rest];
      let have = rest.length;
      while (have < length) {
        const chunk = await more();
        parts.push(chunk);
        have += chunk.length;
      }
      const all = parts.length === 1 ? rest : Buffer.concat(parts);
      rest = all.subarray(length);
      return Buffer.from(all.subarray(0, length));
    },
  };
}
