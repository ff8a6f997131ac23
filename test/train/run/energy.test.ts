import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { energySchema, openEnergyMeter } from '../../../src/train/run/energy.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-energy-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function counter(name: string, zone: string, microjoules: number): Promise<void> {
  await mkdir(join(folder, zone), { recursive: true });
  await writeFile(join(folder, zone, 'name'), `${name}\n`);
  await writeFile(join(folder, zone, 'energy_uj'), `${microjoules}\n`);
  await writeFile(join(folder, zone, 'max_energy_range_uj'), '10000000\n');
}

test('counters of processor packages are added up, also when they go round', async () => {
  await counter('package-0', 'intel-rapl:0', 9_000_000);
  await counter('package-1', 'intel-rapl:1', 0);
  await counter('core', 'intel-rapl:0:0', 0);
  await counter('psys', 'intel-rapl:2', 0);
  const config = energySchema.parse({ gramsPerKilowattHour: 100 });
  const meter = await openEnergyMeter(config, { kilowattHours: 1, methods: ['counters'] }, folder);
  await counter('package-0', 'intel-rapl:0', 1_000_000); // 2 J over the end of its range
  await counter('package-1', 'intel-rapl:1', 4_000_000);
  await counter('core', 'intel-rapl:0:0', 5_000_000); // within its package
  await counter('psys', 'intel-rapl:2', 5_000_000); // the whole machine, packages included
  const use = await meter.read();
  expect(use.method).toBe('counters');
  expect(use.basis).toContain('package-0, package-1');
  expect(use.kilowattHours).toBeCloseTo(1 + 6 / 3.6e6, 12);
  expect(use.gramsCarbonDioxide).toBeCloseTo(100 * use.kilowattHours, 12);
  expect((await meter.read()).kilowattHours).toBe(use.kilowattHours);
});

test('without counters the time of busy cores counts, and the report says so', async () => {
  const config = energySchema.parse({ wattsPerCore: 20, wattsSource: 'a wattmeter' });
  const meter = await openEnergyMeter(config, undefined, join(folder, 'none'));
  const before = process.cpuUsage();
  let sum = 0;
  for (let i = 0; i < 2e7; i++) sum += Math.sqrt(i);
  expect(sum).toBeGreaterThan(0);
  const { user, system } = process.cpuUsage(before);
  const use = await meter.read();
  const joules = (20 * (user + system)) / 1e6;
  expect(use.method).toBe('estimate');
  expect(use.basis).toBe(
    'time of busy cores × 20 W (a wattmeter); 480 g a kilowatt-hour (world average of 2023, Ember, Global Electricity Review 2024)',
  );
  expect(use.kilowattHours * 3.6e6).toBeGreaterThanOrEqual(joules * 0.99);
  expect(use.gramsCarbonDioxide / use.kilowattHours).toBeCloseTo(480);
});

test('counters after an estimate leave the sum an estimate, which says so', async () => {
  await counter('package-0', 'intel-rapl:0', 0);
  const before = { kilowattHours: 1, methods: ['estimate'] } as const;
  const meter = await openEnergyMeter(energySchema.parse({}), before, folder);
  const use = await meter.read();
  expect(use.method).toBe('estimate');
  expect(use.basis).toContain('for earlier parts an estimate by the time of cores');
  expect(meter.methods).toEqual(['estimate', 'counters']);
  const old = await openEnergyMeter(energySchema.parse({}), { kilowattHours: 1 }, folder);
  expect(await old.read()).toMatchObject({ method: 'estimate', basis: expect.stringContaining('not noted') });
});
