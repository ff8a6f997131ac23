/** Every family that open_clip publishes: embeddings, logits, loss, and norm and direction of every gradient. */
import { openCheckpoint } from '../../../src/checkpoint/index.ts';
import { largestDifference, type Numbers, once, type ParityCheck } from '../check.ts';
import { findFixture, fixture, readFixtureJson, readFixtureTensors } from '../fixture-files.ts';
import { embed, type Inputs, trainingPass } from '../model.ts';

interface Row {
  /** Folder below the fixtures. */
  folder: string;
  /** Where the inputs lie, where not in the folder itself. */
  inputs?: string;
}

const openClipFamilies: readonly Row[] = [
  'vit-layerscale',
  'vit-no-ln-pre',
  'vit-avg',
  'vit-avg-ln-after',
  'vit-sincos',
  'vit-attnpool',
  'vit-attnpool-avg',
  'vit-attnpool-parallel',
  'vit-attnpool-cascade',
  'vit-patch-dropout',
  'vit-output-tokens',
  'vit-qk-norm',
  'vit-normformer',
  'vit-cosine',
  'vit-custom-block',
  'vit-wide',
  'vit-patch-wide',
  'vit-kwargs',
  'vit-resize',
  'text-first',
  'text-last-bias',
  'text-eos',
  'text-cls',
  'text-cls-full',
  'tinyclip',
  'metaclip2',
  'mobileclip-b',
  'mobileclip2-l',
  'convnext',
  'convnext-mlp',
  'convnext-xxlarge',
  'eva01',
  'eva02',
  'eva02-e',
  'vitamin',
  'vitamin-xl',
  'pe-core',
  'pe-core-g',
  'siglip',
  'siglip2-b',
  'siglip2-gopt',
  'xlm-roberta',
  'roberta',
  'roberta-cls',
  'roberta-cls-hidden',
  'roberta-max',
  'roberta-identity',
  'mt5',
  'nllb',
  'nllb-siglip',
  'mobileclip-s0',
  ['mobileclip-s0-fused', 'mobileclip-s0'],
  'mobileclip2-s3',
  ['mobileclip2-s3-fused', 'mobileclip2-s3'],
].map((row) => {
  const [name, inputs = name] = [row].flat();
  return { folder: `families/${name}`, inputs: `families/${inputs}` };
});

interface Tolerance {
  embeddings: number;
  logits: number;
  loss: number;
  gradients: number;
}

/** What the sums over a gradient say of it. */
interface GradientSums {
  norm: number;
  dot: number;
}

/** Σ g_i · sin(i + 1) and the length of a gradient. */
function sums({ data }: Numbers): GradientSums {
  let [square, dot] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    square += data[i]! ** 2;
    dot += data[i]! * Math.sin(i + 1);
  }
  return { norm: Math.sqrt(square), dot };
}

/** max(|Δnorm|, |Δdot|) / max(norm, a thousandth of the largest norm of the model), the largest of all parameters. */
function gradientDifference(
  actual: ReadonlyMap<string, Numbers>,
  expected: Readonly<Record<string, GradientSums>>,
): number {
  const largest = Math.max(...Object.values(expected).map(({ norm }) => norm));
  let difference = 0;
  for (const [name, wanted] of Object.entries(expected)) {
    const found = actual.get(name);
    // What reaches no output has no gradient here and rounding noise there.
    const { norm, dot } = found === undefined ? { norm: 0, dot: 0 } : sums(found);
    const apart = Math.max(Math.abs(norm - wanted.norm), Math.abs(dot - wanted.dot));
    difference = Math.max(difference, apart / Math.max(wanted.norm, largest / 1000));
  }
  return difference;
}

function checksOf({ folder, inputs = folder }: Row): ParityCheck[] {
  const open = once(async () => openCheckpoint(fixture(`${folder}/open_clip_model.safetensors`)));
  const read = once(async (): Promise<Inputs> => {
    const tensors = await readFixtureTensors(`${inputs}/inputs.safetensors`);
    return { pixels: tensors.get('pixels')!, tokens: tensors.get('tokens')! };
  });
  const expected = once(() => readFixtureTensors(`${folder}/outputs.safetensors`));
  const pass = once(async () => trainingPass(await open(), await read()));
  const name = folder.slice(folder.indexOf('/') + 1);
  const tolerances = (): Tolerance => {
    const table = 'families/tolerances.json';
    if (findFixture(table) === undefined)
      return { embeddings: 2e-5, logits: 1e-4, loss: 2e-5, gradients: 1e-4 };
    return readFixtureJson<Record<string, { tolerance: Tolerance }>>(table)[name]!.tolerance;
  };
  const { embeddings, logits, loss, gradients } = tolerances();
  const needs = [folder, inputs];
  const checks: ParityCheck[] = [
    {
      folder,
      what: 'embeddings of both towers',
      tolerance: embeddings,
      needs,
      async difference() {
        const actual = await embed(await open(), await read());
        const wanted = await expected();
        const names = ['image_embeddings', 'text_embeddings'];
        return Math.max(...names.map((key) => largestDifference(actual[key]!, wanted.get(key)!)));
      },
    },
    {
      folder,
      what: 'logits',
      tolerance: logits,
      needs,
      difference: async () =>
        largestDifference((await pass()).logits, (await expected()).get('logits_per_image')!),
    },
    {
      folder,
      what: 'loss',
      tolerance: loss,
      needs,
      difference: async () => largestDifference((await pass()).loss, (await expected()).get('loss')!),
    },
    {
      folder,
      what: 'gradient of every parameter (norm and direction)',
      tolerance: gradients,
      unit: 'relative',
      needs,
      async difference() {
        const { parameters } = readFixtureJson<{ parameters: Record<string, GradientSums> }>(
          `${folder}/gradients.json`,
        );
        return gradientDifference((await pass()).gradients, parameters);
      },
    },
  ];
  return checks;
}

export const familyChecks: readonly ParityCheck[] = openClipFamilies.flatMap(checksOf);
