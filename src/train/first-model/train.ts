/**
 * Trains the first bundled model:
 * `node dist/train/first-model/train.js DATA CACHE RUN [--resume] [--minutes M]` with the folders of the data, of packed
 * pictures, and of the run, which gets the vocabulary, `log.jsonl` and `state.safetensors`.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openWeights } from '../../checkpoint/index.ts';
import { EidosError } from '../../errors.ts';
import { randomNumbers } from '../../graph/initialise.ts';
import { readTokenizerFiles } from '../../text/hugging-face.ts';
import { trainBytePairVocabulary } from '../../text/train-vocabulary.ts';
import { readSnapshot, writeSnapshot } from '../snapshot.ts';
import { type Resumption, type TrainingOptions, train } from '../training.ts';
import { trainingBatches } from './data/batches.ts';
import { readClassNames } from './data/names.ts';
import { readSource, type SourceName, type TrainingSource } from './data/sources.ts';
import { featureCount, teacherFeatures } from './data/teacher.ts';
import {
  architecture,
  augment,
  distillationWeight,
  preprocessing,
  seed,
  shares,
  training,
  vocabulary,
} from './settings.ts';
import { vocabularySentences } from './words.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { resume: { type: 'boolean', default: false }, minutes: { type: 'string' } },
});
const [data, cache, run] = positionals;
if (data === undefined || cache === undefined || run === undefined) {
  throw new EidosError('invalid_option', 'Three folders are needed: DATA CACHE RUN.');
}
await mkdir(run, { recursive: true });
const statePath = join(run, 'state.safetensors');
const logPath = join(run, 'log.jsonl');

const names = await readClassNames(join(data, 'names'));
const tokenizerPath = join(run, 'tokenizer.json');
if (!existsSync(tokenizerPath)) {
  const { files } = trainBytePairVocabulary(await vocabularySentences(data, names), vocabulary);
  for (const [name, content] of Object.entries(files)) await writeFile(join(run, name), content);
}
const tokenizer = await readTokenizerFiles(
  { 'tokenizer.json': await readFile(tokenizerPath, 'utf8') },
  { contextLength: vocabulary.contextLength, vocabularySize: vocabulary.size },
);
const sources: TrainingSource[] = [];
for (const name of Object.keys(shares) as SourceName[]) {
  const source = await readSource(name, { data, cache }, names);
  process.stdout.write(`${name}: ${source.pictures.count} pictures\n`);
  sources.push({ ...source, features: await teacherFeatures(source, { data, cache }) });
}

const resumption = values.resume ? await resume() : undefined;
const random = randomNumbers(seed + (resumption?.progress.step ?? 0));
const batches = trainingBatches(sources, preprocessing, tokenizer, random, {
  size: training.batch,
  shares,
  augment,
});
const options: TrainingOptions = {
  ...training,
  ...(values.minutes === undefined ? {} : { until: { minutes: Number(values.minutes) } }),
  distillation: { weight: distillationWeight, features: featureCount },
};
await train(
  architecture,
  batches,
  options,
  {
    onLog: (line) => appendFileSync(logPath, `${JSON.stringify(rounded(line))}\n`),
    onSnapshot: (state, progress) => writeSnapshot(statePath, state, { progress: JSON.stringify(progress) }),
  },
  resumption,
);

async function resume(): Promise<Resumption> {
  const { tensors, metadata } = await openWeights(statePath);
  const state = await readSnapshot(statePath, [...tensors.keys()]);
  return { state, progress: JSON.parse(metadata.progress ?? '{"step":0,"minutes":0}') };
}

/** Five digits are enough to look at. */
function rounded<T extends object>(line: T): object {
  return Object.fromEntries(
    Object.entries(line).map(([key, value]) => [key, Number(Number(value).toPrecision(5))]),
  );
}
