/** LanceDB, an optional part of the installation: asked for without it, eidos says the one command that brings it. */
import { createRequire } from 'node:module';
import type * as Lance from '@lancedb/lancedb';
import type * as Arrow from 'apache-arrow';
import { EidosError } from '../../../errors.ts';

export type { Arrow, Lance };

const require = createRequire(import.meta.url);

/**
 * Its own apache-arrow belongs to it: tables of a second copy are not recognised. Loading takes most of a second,
 * so nothing asks for it that can be answered from the copies beside the store.
 * @throws EidosError `not_installed`
 */
export function loadLance(): { lance: typeof Lance; arrow: typeof Arrow } {
  try {
    return {
      lance: require('@lancedb/lancedb') as typeof Lance,
      arrow: require('apache-arrow') as typeof Arrow,
    };
  } catch (cause) {
    throw new EidosError(
      'not_installed',
      'Searching needs LanceDB, which is no fixed part of eidos: npm install @lancedb/lancedb apache-arrow',
      { cause },
    );
  }
}
