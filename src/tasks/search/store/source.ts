/** Where an index lies, and its store, opened (and LanceDB loaded) when it is first needed. */
import { localFolder } from './folder.ts';
import { openStore, type Store } from './store.ts';

export interface IndexSource {
  /** As it was named. */
  readonly path: string;
  /** Undefined where the index lies in a bucket or a cluster. */
  readonly folder: string | undefined;
  store(): Promise<Store>;
  close(): Promise<void>;
}

/** @param storageOptions what the store wants to know for `s3://` and `db://` */
export function createSource(
  path: string,
  storageOptions: Readonly<Record<string, string>> | undefined,
): IndexSource {
  let opening: Promise<Store> | undefined;
  return {
    path,
    folder: localFolder(path),
    store() {
      opening ??= openStore(path, storageOptions).catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    async close() {
      (await opening?.catch(() => undefined))?.close();
    },
  };
}
