/** The tables of one store, each opened once. */
import { setTimeout } from 'node:timers/promises';
import type { Arrow, Lance } from './lance.ts';
import { inStore } from './statements.ts';

export interface Tables {
  names(): Promise<string[]>;
  /** Undefined where there is none of this name. */
  find(name: string): Promise<Lance.Table | undefined>;
  findOrCreate(name: string, schema: Arrow.Schema): Promise<Lance.Table>;
  forget(name: string): void;
  close(): void;
}

/** A table that is being made stands in the list before its first version is there; one that stays without is damaged. */
const momentsOfMaking = 20;
const moment = 50;

async function openMade(connection: Lance.Connection, name: string): Promise<Lance.Table> {
  for (let tries = 1; ; tries++) {
    try {
      return await connection.openTable(name);
    } catch (error) {
      if (tries >= momentsOfMaking || !/not found/i.test(String(error))) throw error;
      await setTimeout(moment);
    }
  }
}

/** The connection's tables, each opened once and brought to its latest version whenever it is asked for. */
export function createTables(path: string, connection: Lance.Connection): Tables {
  const open = new Map<string, Lance.Table>();
  const names = () => inStore(path, 'read', () => connection.tableNames());

  async function find(name: string): Promise<Lance.Table | undefined> {
    const known = open.get(name);
    if (known !== undefined) {
      await inStore(path, 'read', () => known.checkoutLatest());
      return known;
    }
    if (!(await names()).includes(name)) return undefined;
    const table = await inStore(path, 'read', () => openMade(connection, name));
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
