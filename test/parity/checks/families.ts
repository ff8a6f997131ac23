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
  /** The file of weights. @default the folder itself is opened */
  weights?: string;
  tolerance?: Tolerance;
  /** The least length by which a gradient's difference is measured, as a part of the model's largest. @default 1/1000 */
  floor?: number;
}

/** Hugging Face's own families; the difference of a gradient there is a part of the model's largest. */
const huggingFaceFamilies: readonly Row[] = (
  [
    ['chinese-clip', 2e-5, 5e-5],
    ['altclip', 6e-5, 4e-5],
    ['metaclip-2', 3e-5, 2e-5],
    ['siglip-so400m', 7e-5, 3e-5],
    ['siglip2', 7e-5, 4e-5],
    ['clip-legacy-config', 3e-5, 4e-5],
    ['clip-end-token', 4e-5, 5e-5],
    ['dual-encoder-vit-bert', 3e-5, 7e-5],
    ['dual-encoder-clip-roberta', 3e-5, 4e-5],
  ] as const
).map(([name, embeddings, logits]) => ({
  folder: `families-hf/${name}`,
  tolerance: { embeddings, logits, loss: logits, gradients: 1e-4 },
  floor: 1,
}));

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
  return {
    folder: `families/${name}`,
    inputs: `families/${inputs}`,
    weights: 'open_clip_model.safetensors',
  };
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

/** max(|Δnorm|, |Δdot|) / max(norm, that part of the largest norm of the model), the largest of all parameters. */
function gradientDifference(
  actual: ReadonlyMap<string, Numbers>,
  expected: Readonly<Record<string, GradientSums>>,
  floor: number,
): number {
  const largest = Math.max(...Object.values(expected).map(({ norm }) => norm));
  let difference = 0;
  for (const [name, wanted] of Object.entries(expected)) {
    const found = actual.get(name);
    // What reaches no output has no gradient here and rounding noise there.
    const { norm, dot } = found === undefined ? { norm: 0, dot: 0 } : sums(found);
    const apart = Math.max(Math.abs(norm - wanted.norm), Math.abs(dot - wanted.dot));
    difference = Math.max(difference, apart / Math.max(wanted.norm, largest * floor));
  }
  return difference;
}

function checksOf({ folder, inputs = folder, weights, tolerance, floor = 1e-3 }: Row): ParityCheck[] {
  const open = once(async () =>
    openCheckpoint(fixture(weights === undefined ? folder : `${folder}/${weights}`)),
  );
  const read = once(async (): Promise<Inputs> => {
    const tensors = await readFixtureTensors(`${inputs}/inputs.safetensors`);
    return { pixels: tensors.get('pixels')!, tokens: tensors.get('tokens')! };
  });
  const expected = once(() => readFixtureTensors(`${folder}/outputs.safetensors`));
  const pass = once(async () => trainingPass(await open(), await read()));
  const name = folder.slice(folder.indexOf('/') + 1);
  const tolerances = (): Tolerance => {
    if (tolerance !== undefined) return tolerance;
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
        type Sums = Record<string, GradientSums>;
        const file = readFixtureJson<{ parameters: Sums } | Sums>(`${folder}/gradients.json`);
        const parameters = ('parameters' in file ? file.parameters : file) as Sums;
        return gradientDifference((await pass()).gradients, parameters, floor);
      },
    },
  ];
  return checks;
}

export const familyChecks: readonly ParityCheck[] = [...openClipFamilies, ...huggingFaceFamilies].flatMap(
  checksOf,
);
