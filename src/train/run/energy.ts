/**
 * The energy that a training takes: read from the processor's own counters where the system shows them, otherwise
 * estimated from the time for which cores were busy.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** `energy` of a training's configuration. */
export const energySchema = z.strictObject({
  /**
   * Watts of a busy core, for estimates. The default is the figure of the Green Algorithms calculator for an unknown
   * processor (Lannelongue et al. 2021); memory, other parts and cooling are not in it.
   */
  wattsPerCore: z.number().positive().default(12),
  /** Where that figure is from. */
  wattsSource: z.string().default('Green Algorithms, unknown processor'),
  /** Grams of CO₂ equivalent that a kilowatt-hour from the socket stands for. */
  gramsPerKilowattHour: z.number().nonnegative().default(480),
  /** Which grid, which year, whose figure. */
  gridName: z.string().default('world average of 2023, Ember, Global Electricity Review 2024'),
});
export type EnergyConfig = z.infer<typeof energySchema>;

/** What was used so far. */
export interface EnergyUse {
  /**
   * `counters`: read from the hardware, the whole machine's processors; `estimate`: of this process alone. Where both
   * were used, part after part, the sum is an estimate.
   */
  method: 'counters' | 'estimate';
  /** How the figures came about, in words, with the grid that stands behind grams. */
  basis: string;
  kilowattHours: number;
  gramsCarbonDioxide: number;
}

/** What earlier parts of the same training used. */
export interface EnergyBefore {
  kilowattHours: number;
  /** How that figure came about; nothing where it was not noted. */
  methods?: readonly EnergyUse['method'][] | undefined;
}

export interface EnergyMeter {
  /** How this part and those before came to their figures. */
  methods: EnergyUse['method'][];
  /** Use since the meter was opened, and what was used before. */
  read(): Promise<EnergyUse>;
}

const joulesPerKilowattHour = 3.6e6;
/** Where Linux shows the counters of Intel's and AMD's processors (RAPL); mostly for its administrator alone. */
const powercap = '/sys/class/powercap';

const inWords = { counters: 'counters of the hardware', estimate: 'an estimate by the time of cores' };

/** @param folder where the counters lie */
export async function openEnergyMeter(
  config: EnergyConfig,
  before: EnergyBefore = { kilowattHours: 0 },
  folder: string = powercap,
): Promise<EnergyMeter> {
  const counters = await findCounters(folder);
  const start = process.cpuUsage();
  const method = counters.length > 0 ? 'counters' : 'estimate';
  const own =
    method === 'counters'
      ? `counters of the hardware (${counters.map(({ name }) => name).join(', ')}), whatever else ran there`
      : `time of busy cores × ${config.wattsPerCore} W (${config.wattsSource})`;
  const isNoted = before.methods !== undefined || before.kilowattHours === 0;
  const others = (before.methods ?? []).filter((other) => other !== method);
  const earlier = isNoted ? others.map((other) => inWords[other]).join(' and ') : 'not noted';
  const grid = `${config.gramsPerKilowattHour} g a kilowatt-hour (${config.gridName})`;
  const basis = `${own}${earlier === '' ? '' : `, for earlier parts ${earlier}`}; ${grid}`;
  let joules = 0;
  return {
    methods: [...new Set([...(before.methods ?? []), method] as const)],
    async read() {
      for (const counter of counters) joules += await advance(counter);
      const { user, system } = process.cpuUsage(start);
      const coreSeconds = (user + system) / 1e6;
      const used = method === 'counters' ? joules : coreSeconds * config.wattsPerCore;
      const kilowattHours = before.kilowattHours + used / joulesPerKilowattHour;
      return {
        method: earlier === '' ? method : 'estimate',
        basis,
        kilowattHours,
        gramsCarbonDioxide: kilowattHours * config.gramsPerKilowattHour,
      };
    },
  };
}

interface Counter {
  name: string;
  path: string;
  /** Microjoules at the last reading. */
  last: number;
  /** The counter begins at 0 again after this many microjoules. */
  range: number;
}

/** One counter a processor package; those of its parts (cores, memory) are in it already. */
async function findCounters(folder: string): Promise<Counter[]> {
  const counters: Counter[] = [];
  for (const entry of await readdir(folder).catch(() => [])) {
    if (!/^[\w-]*rapl:\d+$/.test(entry)) continue;
    const path = join(folder, entry, 'energy_uj');
    const last = await readNumber(path);
    const range = await readNumber(join(folder, entry, 'max_energy_range_uj'));
    const name = await readFile(join(folder, entry, 'name'), 'utf8').catch(() => '');
    if (last === undefined || range === undefined || !name.startsWith('package')) continue;
    counters.push({ name: name.trim(), path, last, range });
  }
  return counters;
}

/** Joules since the last reading. It must be read more often than the counter goes round: in minutes under load. */
async function advance(counter: Counter): Promise<number> {
  const now = await readNumber(counter.path);
  if (now === undefined) return 0;
  const passed = now >= counter.last ? now - counter.last : now + counter.range - counter.last;
  counter.last = now;
  return passed / 1e6;
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  const number = Number(text?.trim() || Number.NaN);
  return Number.isFinite(number) ? number : undefined;
}
