/**
 * The store, which alone is the truth about an index: three LanceDB tables in a folder, in a bucket or in a cluster.
 * `about` says what the index is, `pictures_…` has a row a picture for one model, `unreadable` a row a broken file.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EidosError } from '../../../errors.ts';
import { type About, aboutTable, parseAbout } from './about.ts';
import { type Arrow, type Lance, loadLance } from './lance.ts';
import { createPictureStore, type PictureStore } from './pictures.ts';
import { pictureSchema, rowsOf, type UnreadableRow, unreadableSchema, unreadableTable } from './rows.ts';
import { inStore, quoted } from './statements.ts';

export interface Store {
  /** Undefined where the index has not been begun. */
  about(): Promise<About | undefined>;
  setAbout(about: About): Promise<void>;
  /** The table of this name, made where there is none. */
  pictures(name: string, embeddingSize: number): Promise<PictureStore>;
  /** Names of tables that hold pictures. */
  pictureTables(): Promise<string[]>;
  dropPictures(name: string): Promise<void>;
  unreadable(): Promise<UnreadableRow[]>;
  putUnreadable(rows: readonly UnreadableRow[]): Promise<void>;
  removeUnreadable(paths: readonly string[]): Promise<void>;
  close(): void;
}

/** The folder of an index that lies in one; undefined for `s3://`, `db://` and the like. */
export function localFolder(path: string): string | undefined {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path) ? undefined : resolve(path);
}

/** Whether a local folder holds an index; for a place elsewhere only the store itself can say. */
export async function holdsIndex(folder: string): Promise<boolean> {
  return (await versionNames(folder, aboutName)).length > 0;
}

/**
 * What changes with every commit of the tables, read off the names of their versions: whether a copy is stale can
 * so be told without loading LanceDB. Undefined where the folder does not look as expected.
 */
export async function folderVersion(folder: string, tables: readonly string[]): Promise<string | undefined> {
  const hash = createHash('sha256');
  for (const table of [aboutName, ...tables]) {
    const names = await versionNames(folder, table);
    if (names.length === 0) return undefined;
    hash.update(`${table}\n${names.join('\n')}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}

async function versionNames(folder: string, table: string): Promise<string[]> {
  const names = await readdir(join(folder, `${table}.lance`, '_versions')).catch(() => []);
  return names.filter((name) => name.endsWith('.manifest')).sort();
}

const aboutName = 'about';
const unreadableName = 'unreadable';
export const picturesPrefix = 'pictures_';

/**
 * @throws EidosError `not_installed`; `invalid_option` for a folder that holds something else; `write_failed`
 */
export async function openStore(
  path: string,
  storageOptions: Readonly<Record<string, string>> | undefined,
): Promise<Store> {
  const folder = localFolder(path);
  if (folder !== undefined) await prepareFolder(folder);
  const { lance, arrow } = loadLance();
  const connection = await inStore(path, 'write', () =>
    lance.connect(
      folder ?? path,
      storageOptions === undefined ? {} : { storageOptions: { ...storageOptions } },
    ),
  );
  const tables = createTables(path, connection);

  return {
    async about() {
      const table = await tables.find(aboutName);
      if (table === undefined) return undefined;
      return inStore(path, 'read', async () => parseAbout(path, await table.query().toArrow()));
    },

    async setAbout(about) {
      const rows = aboutTable(arrow, about);
      const table = await tables.findOrCreate(aboutName, rows.schema);
      await inStore(path, 'write', () => upsert(table, 'key', rows));
    },

    async pictures(name, embeddingSize) {
      const table = await tables.findOrCreate(name, pictureSchema(arrow, embeddingSize));
      return createPictureStore(path, table, { lance, arrow, embeddingSize });
    },

    async pictureTables() {
      return (await tables.names()).filter((name) => name.startsWith(picturesPrefix));
    },

    async dropPictures(name) {
      tables.forget(name);
      await inStore(path, 'write', () => connection.dropTable(name));
    },

    async unreadable() {
      const table = await tables.find(unreadableName);
      if (table === undefined) return [];
      return inStore(path, 'read', async () =>
        rowsOf<UnreadableRow>(await table.query().toArrow(), [
          'path',
          'raw',
          'size',
          'modified',
          'code',
          'message',
        ]),
      );
    },

    async putUnreadable(rows) {
      if (rows.length === 0) return;
      const table = await tables.findOrCreate(unreadableName, unreadableSchema(arrow));
      await inStore(path, 'write', () => upsert(table, 'path', unreadableTable(arrow, rows)));
    },

    async removeUnreadable(paths) {
      if (paths.length === 0) return;
      const table = await tables.findOrCreate(unreadableName, unreadableSchema(arrow));
      await inStore(path, 'write', () => table.delete(`path IN (${paths.map(quoted).join(', ')})`));
    },

    close() {
      tables.close();
      connection.close();
    },
  };
}

async function upsert(table: Lance.Table, key: string, rows: Arrow.Table): Promise<void> {
  await table.mergeInsert(key).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(rows);
}

/** The connection's tables, each opened once and brought to its latest version whenever it is asked for. */
function createTables(path: string, connection: Lance.Connection) {
  const open = new Map<string, Lance.Table>();
  const names = () => inStore(path, 'read', () => connection.tableNames());

  async function find(name: string): Promise<Lance.Table | undefined> {
    const known = open.get(name);
    if (known !== undefined) {
      await inStore(path, 'read', () => known.checkoutLatest());
      return known;
    }
    if (!(await names()).includes(name)) return undefined;
    const table = await inStore(path, 'read', () => connection.openTable(name));
    open.set(name, table);
    return table;
  }

  return {
    names,
    find,
    async findOrCreate(name: string, schema: Arrow.Schema): Promise<Lance.Table> {
      const found = await find(name);
      if (found !== undefined) return found;
      const table = await inStore(path, 'write', () =>
        connection.createEmptyTable(name, schema, { existOk: true }),
      );
      open.set(name, table);
      return table;
    },
    forget(name: string): void {
      open.get(name)?.close();
      open.delete(name);
    },
    close(): void {
      for (const table of open.values()) table.close();
      open.clear();
    },
  };
}

/** Makes the folder; one with other things in it is surely a slip of the pen. */
async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    const strangers = (await readdir(folder)).filter(
      (name) => !name.endsWith('.lance') && !name.startsWith('.') && name !== copiesFolder,
    );
    if (strangers.length === 0) return;
    throw new EidosError(
      'invalid_option',
      `${folder} is no folder of an index, as "${strangers[0]}" lies in it: name another one, or one that is not there yet.`,
    );
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    throw new EidosError(
      'write_failed',
      `The index ${folder} cannot be written: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

/** Copies for speed lie in this folder of a local index. */
export const copiesFolder = 'copies';
