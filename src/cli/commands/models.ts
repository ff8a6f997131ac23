/** `eidos models`: what --model can name. */
import { Command } from 'commander';
import type { AvailableModel } from '../../tasks/models/models.ts';
import { acceptModelOptions } from '../model-options.ts';

const places: { readonly [P in AvailableModel['place']]: string } = {
  bundled: 'comes with eidos',
  cached: 'on this machine',
  hub: 'fetched from the hub when first used',
};

export function modelsCommand(): Command {
  return acceptModelOptions(
    new Command('models')
      .description('list the models that can be used')
      .option('--json', 'one JSON object a line')
      .option('--quiet', 'names only')
      .action(run),
  );
}

async function run({ json, quiet }: { json?: boolean; quiet?: boolean }): Promise<void> {
  const { listModels } = await import('../../tasks/models/models.ts');
  const models = await listModels();
  const width = Math.max(...models.map(({ model }) => model.length));
  for (const entry of models) {
    const size = entry.bytes === undefined ? '' : `, ${(entry.bytes / 1e6).toFixed(0)} MB`;
    const line = quiet ? entry.model : `${entry.model.padEnd(width)}  ${places[entry.place]}${size}`;
    process.stdout.write(`${json ? JSON.stringify(entry) : line}\n`);
  }
  if (!json && !quiet)
    process.stdout.write('\nA folder or a weight file works as well: --model ./my-model\n');
}
