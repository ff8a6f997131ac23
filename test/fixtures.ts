/** Where the reference fixtures of the original PyTorch code lie, if they lie beside this clone. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../shared/fixtures/', import.meta.url));

/** Folder of the reference fixtures with a slash at its end, or undefined where they are missing. */
export const sharedFixtures: string | undefined = existsSync(folder) ? folder : undefined;

if (sharedFixtures === undefined) {
  console.log(
    'The reference fixtures (../shared/fixtures) are not beside this clone: their tests are skipped.',
  );
}
