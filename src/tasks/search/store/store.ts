/**
 * The store, which alone is the truth about an index: three LanceDB tables in a folder, in a bucket or in a cluster.
 * `about` says what the index is, `pictures_…` has a row a picture for one model, `unreadable` a row a broken file.
 */
import { EidosError } from '../../../errors.ts';
import { type About, aboutTable, parseAbout } from './about.ts';
import { localFolder, prepareFolder } from './folder.ts';
import { type Arrow, loadLance } from './lance.ts';
import { createPictureStore, type PictureStore, upsert } from './pictures.ts';
import {
  pictureSchema,
  rowsOf,
  type UnreadableRow,
  unreadableColumns,
  unreadableSchema,
  unreadableTable,
} from './rows.ts';
import { inStore, quoted } from './statements.ts';
import { aboutName, picturesPrefix, unreadableName } from './table-names.ts';
import { createTables, type Tables } from './tables.ts';

export interface Store {
  /** Undefined where the index has not been begun. */
  about(): Promise<About | undefined>;
  setAbout(about: About): Promise<void>;
  /**
   * The table of this name.
   * @throws EidosError `invalid_index` where it is gone
   */
  pictures(name: string, embeddingSize: number): Promise<PictureStore>;
  /** The same, made where there is none. */
  makePictures(name: string, embeddingSize: number): Promise<PictureStore>;
  /** Names of tables that hold pictures. */
  pictureTables(): Promise<string[]>;
  dropPictures(name: string): Promise<void>;
  /** Whether any table of pictures has a row. */
  holdsPictures(): Promise<boolean>;
  /** Removes all tables. */
  clear(): Promise<void>;
  unreadable(): Promise<UnreadableRow[]>;
  putUnreadable(rows: readonly UnreadableRow[]): Promise<void>;
  removeUnreadable(paths: readonly string[]): Promise<void>;
  close(): void;
}

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
  const pictureTables = async (): Promise<string[]> =>
    (await tables.names()).filter((name) => name.startsWith(picturesPrefix));
  const drop = async (name: string): Promise<void> => {
    tables.forget(name);
    await inStore(path, 'write', () => connection.dropTable(name));
  };
  return {
    ...aboutMethods(path, arrow, tables),
    ...unreadableMethods(path, arrow, tables),
    async pictures(name, embeddingSize) {
      const table = await tables.find(name);
      if (table === undefined) throw missingTable(path, name);
      return createPictureStore(path, table, { lance, arrow, embeddingSize });
    },
    async makePictures(name, embeddingSize) {
      const table = await tables.findOrCreate(name, pictureSchema(arrow, embeddingSize));
      return createPictureStore(path, table, { lance, arrow, embeddingSize });
    },
    pictureTables,
    dropPictures: drop,
    async holdsPictures() {
      for (const name of await pictureTables()) {
        const table = await tables.find(name);
        if (table !== undefined && (await inStore(path, 'read', () => table.countRows())) > 0) return true;
      }
      return false;
    },
    async clear() {
      for (const name of await tables.names()) await drop(name);
    },
    close() {
      tables.close();
      connection.close();
    },
  };
}

function missingTable(path: string, name: string): EidosError {
  return new EidosError(
    'invalid_index',
    `The index ${path} is damaged: its table of pictures, ${name}, is gone. Bring it back from a copy, or delete the index and make it anew.`,
  );
}

function aboutMethods(path: string, arrow: typeof Arrow, tables: Tables): Pick<Store, 'about' | 'setAbout'> {
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
  };
}

function unreadableMethods(
  path: string,
  arrow: typeof Arrow,
  tables: Tables,
): Pick<Store, 'unreadable' | 'putUnreadable' | 'removeUnreadable'> {
  return {
    async unreadable() {
      const table = await tables.find(unreadableName);
      if (table === undefined) return [];
      return inStore(path, 'read', async () =>
        rowsOf<UnreadableRow>(await table.query().toArrow(), unreadableColumns),
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
  };
}
