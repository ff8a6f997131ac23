/** Both towers of every model: embeddings, logits, loss, activations and the gradient of every parameter. */
import { type Checkpoint, openCheckpoint } from '../../../src/checkpoint/index.ts';
import type { LoadMode } from '../../../src/engine/engine.ts';
import type { Activation } from '../../../src/models/architecture.ts';
import { activationDifference, hasCounterpart } from '../activations.ts';
import {
  largestDifference,
  largestDifferenceOfAll,
  type Numbers,
  once,
  type ParityCheck,
  type Unit,
} from '../check.ts';
import { fixture, readFixtureJson, readFixtureTensors, withFolder } from '../fixture-files.ts';
import { embed, type Inputs, trainingPass } from '../model.ts';
import { renamedSiglip } from '../renamed-siglip.ts';

interface Tolerances {
  embeddings: number;
  /** @default that of the embeddings */
  normalised?: number;
  logits?: number;
  loss?: number;
  gradients?: readonly [tolerance: number, unit: 'absolute' | 'of the largest'];
}

interface TowerRow {
  folder: string;
  /** What sets this row apart from others of the folder. */
  variant?: string;
  /** Weights and configuration: a fixture file or folder, or a folder to be put together from files and JSON. */
  source: string | { files: () => Record<string, string | object>; weights: string };
  activation?: Activation;
  /** How the encoders are opened. @default 'fast-run' */
  load?: LoadMode;
  inputs: string;
  outputs: string;
  tolerances: Tolerances;
  activations?: string;
  gradients?: string;
  /** Read besides source, inputs and outputs. */
  needs?: readonly string[];
}

// "Embeddings 2e-5, logits 1e-4, loss 1e-5, gradients 5e-5 of the largest gradient."
const tiny: Tolerances = { embeddings: 2e-5, logits: 1e-4, loss: 1e-5, gradients: [5e-5, 'of the largest'] };
const openClip: Tolerances = { embeddings: 2e-5, logits: 1e-4, loss: 1e-5, gradients: [1e-4, 'absolute'] };
const clipHf: Tolerances = { embeddings: 2e-5, logits: 5e-5, loss: 1e-5 };
const siglip: Tolerances = { ...clipHf, gradients: [1e-5, 'absolute'] };
const openClipResNet: Tolerances = {
  embeddings: 2e-4,
  normalised: 2e-5,
  logits: 3e-4,
  loss: 5e-5,
  gradients: [1e-4, 'of the largest'],
};

const vitTiny = { inputs: 'vit-tiny/inputs.safetensors', outputs: 'vit-tiny/outputs.safetensors' };
const half = {
  ...vitTiny,
  outputs: 'vit-tiny/outputs_fp16_weights.safetensors',
  tolerances: { embeddings: 2e-5 },
};

const rows: readonly TowerRow[] = [
  {
    folder: 'vit-tiny',
    source: 'vit-tiny/model.safetensors',
    ...vitTiny,
    tolerances: tiny,
    activations: 'vit-tiny/activations.safetensors',
    gradients: 'vit-tiny/gradients.safetensors',
    needs: ['vit-tiny/config.json'],
  },
  { folder: 'vit-tiny', variant: 'float16, zip .pt', source: 'vit-tiny/state_dict_fp16.pt', ...half },
  {
    folder: 'vit-tiny',
    variant: 'float16, legacy .pt',
    source: 'vit-tiny/state_dict_fp16_legacy.pt',
    ...half,
  },
  {
    folder: 'vit-tiny',
    variant: "open_clip's training checkpoint",
    source: 'vit-tiny/open_clip_checkpoint.pt',
    ...vitTiny,
    tolerances: tiny,
  },
  {
    folder: 'vit-tiny-gelu',
    source: 'vit-tiny/model.safetensors',
    activation: 'gelu',
    inputs: 'vit-tiny-gelu/inputs.safetensors',
    outputs: 'vit-tiny-gelu/outputs.safetensors',
    tolerances: tiny,
  },
  {
    folder: 'vit-tiny-hf',
    variant: 'safetensors',
    source: 'vit-tiny-hf/model.safetensors',
    ...vitTiny,
    tolerances: tiny,
    needs: ['vit-tiny-hf/config.json'],
  },
  {
    folder: 'vit-tiny-hf',
    variant: 'pytorch_model.bin',
    source: 'vit-tiny-hf/pytorch_model.bin',
    ...vitTiny,
    tolerances: tiny,
  },
  {
    folder: 'vit-tiny-hf-sharded',
    source: 'vit-tiny-hf-sharded/model.safetensors.index.json',
    ...vitTiny,
    tolerances: tiny,
  },
  {
    folder: 'rn-tiny',
    source: 'rn-tiny/model.safetensors',
    inputs: 'rn-tiny/inputs.safetensors',
    outputs: 'rn-tiny/outputs.safetensors',
    // "Gradients 1e-4 of the largest."
    tolerances: { ...tiny, gradients: [1e-4, 'of the largest'] },
    activations: 'rn-tiny/activations.safetensors',
    gradients: 'rn-tiny/gradients.safetensors',
  },
  {
    folder: 'rn-tiny',
    variant: 'float16, TorchScript',
    source: 'rn-tiny/model_jit_fp16.pt',
    inputs: 'rn-tiny/inputs.safetensors',
    outputs: 'rn-tiny/outputs_fp16_weights.safetensors',
    tolerances: { embeddings: 2e-5 },
  },
  {
    folder: 'open_clip-vit',
    source: 'open_clip-vit/open_clip_model.safetensors',
    inputs: 'open_clip-vit/inputs.safetensors',
    outputs: 'open_clip-vit/outputs.safetensors',
    tolerances: openClip,
    activations: 'open_clip-vit/activations.safetensors',
    gradients: 'open_clip-vit/gradients.safetensors',
    needs: ['open_clip-vit/open_clip_config.json'],
  },
  {
    folder: 'open_clip-vit',
    variant: 'weights used where they lie',
    source: 'open_clip-vit/open_clip_model.safetensors',
    load: 'fast-start',
    inputs: 'open_clip-vit/inputs.safetensors',
    outputs: 'open_clip-vit/outputs.safetensors',
    tolerances: { embeddings: 2e-5 },
    needs: ['open_clip-vit/open_clip_config.json'],
  },
  {
    folder: 'open_clip-vit',
    variant: 'quick_gelu in the configuration',
    source: {
      weights: 'open_clip-vit/open_clip_model.safetensors',
      files: () => ({ 'open_clip_config.json': withQuickGelu('open_clip-vit/open_clip_config.json') }),
    },
    inputs: 'open_clip-vit/inputs.safetensors',
    outputs: 'open_clip-vit/outputs_quickgelu.safetensors',
    tolerances: openClip,
    needs: ['open_clip-vit/open_clip_config.json'],
  },
  {
    folder: 'open_clip-vit',
    variant: 'bfloat16',
    source: 'open_clip-vit/open_clip_model_bf16.safetensors',
    inputs: 'open_clip-vit/inputs.safetensors',
    outputs: 'open_clip-vit/outputs_bf16_weights.safetensors',
    tolerances: { embeddings: 2e-5, logits: 1e-4 },
    needs: ['open_clip-vit/open_clip_config.json'],
  },
  {
    folder: 'open_clip-rn',
    source: 'open_clip-rn/open_clip_model.safetensors',
    inputs: 'open_clip-rn/inputs.safetensors',
    outputs: 'open_clip-rn/outputs.safetensors',
    tolerances: openClipResNet,
    activations: 'open_clip-rn/activations.safetensors',
    gradients: 'open_clip-rn/gradients.safetensors',
    needs: ['open_clip-rn/open_clip_config.json'],
  },
  {
    folder: 'open_clip-clipa',
    source: 'open_clip-clipa/open_clip_model.safetensors',
    inputs: 'open_clip-clipa/inputs.safetensors',
    outputs: 'open_clip-clipa/outputs.safetensors',
    tolerances: openClip,
    activations: 'open_clip-clipa/activations.safetensors',
    needs: ['open_clip-clipa/open_clip_config.json'],
  },
  {
    folder: 'open_clip-siglip',
    variant: "siglip-hf's weights under timm's names",
    source: {
      weights: 'siglip-hf/model.safetensors',
      files: () => ({ 'open_clip_config.json': 'open_clip-siglip/open_clip_config.json' }),
    },
    inputs: 'siglip-hf/inputs.safetensors',
    outputs: 'open_clip-siglip/outputs.safetensors',
    tolerances: clipHf,
    needs: ['open_clip-siglip/names.json', 'open_clip-siglip/open_clip_config.json'],
  },
  {
    folder: 'clip-hf',
    source: 'clip-hf/model.safetensors',
    inputs: 'clip-hf/inputs.safetensors',
    outputs: 'clip-hf/outputs.safetensors',
    tolerances: clipHf,
    activations: 'clip-hf/activations.safetensors',
    needs: ['clip-hf/config.json'],
  },
  {
    folder: 'clip-hf',
    variant: 'config_legacy.json',
    source: {
      weights: 'clip-hf/model.safetensors',
      files: () => ({ 'config.json': 'clip-hf/config_legacy.json' }),
    },
    inputs: 'clip-hf/inputs.safetensors',
    outputs: 'clip-hf/outputs.safetensors',
    tolerances: clipHf,
    needs: ['clip-hf/config_legacy.json'],
  },
  {
    folder: 'siglip-hf',
    source: 'siglip-hf/model.safetensors',
    inputs: 'siglip-hf/inputs.safetensors',
    outputs: 'siglip-hf/outputs.safetensors',
    tolerances: siglip,
    activations: 'siglip-hf/activations.safetensors',
    gradients: 'siglip-hf/gradients.safetensors',
    needs: ['siglip-hf/config.json'],
  },
];

/** Every claim about the towers. */
export const towerChecks: readonly ParityCheck[] = rows.flatMap(checksOf);

function withQuickGelu(path: string): object {
  const config = readFixtureJson<{ model_cfg: object }>(path);
  return { ...config, model_cfg: { ...config.model_cfg, quick_gelu: true } };
}

/** Opens the row's checkpoint while its files are there. */
async function withCheckpoint<T>(row: TowerRow, use: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const options = row.activation === undefined ? {} : { activation: row.activation };
  const { source } = row;
  if (typeof source === 'string') return use(await openCheckpoint(fixture(source), options));
  return withFolder({ ...source.files(), 'model.safetensors': source.weights }, async (folder) => {
    if (row.folder === 'open_clip-siglip') await renamedSiglip(folder);
    return use(await openCheckpoint(folder, options));
  });
}

async function readInputs(path: string): Promise<Inputs & { attentionMask: Numbers | undefined }> {
  const inputs = await readFixtureTensors(path);
  return {
    pixels: inputs.get('pixels')!,
    tokens: inputs.get('tokens')!,
    attentionMask: inputs.get('attention_mask'),
  };
}

function checksOf(row: TowerRow): ParityCheck[] {
  const { folder, variant, tolerances, inputs, outputs } = row;
  const needs = [sourcePath(row), inputs, outputs, ...(row.needs ?? [])];
  const embeddings = once(() =>
    withCheckpoint(row, async (open) => embed(open, await readInputs(inputs), row.load)),
  );
  const pass = once(() =>
    withCheckpoint(row, async (open) =>
      trainingPass(open, await readInputs(inputs), { gradients: row.gradients !== undefined }),
    ),
  );
  const expected = async (name: string): Promise<Numbers> => (await readFixtureTensors(outputs)).get(name)!;

  const suffix = variant === undefined ? '' : ` (${variant})`;
  const checks: ParityCheck[] = [];
  const claim = (
    what: string,
    [tolerance, unit]: readonly [number, Unit],
    difference: () => Promise<number>,
    more: readonly string[] = [],
  ): void => {
    checks.push({ folder, what: what + suffix, tolerance, unit, needs: [...needs, ...more], difference });
  };

  for (const tower of ['image', 'text']) {
    const name = `${tower}_embeddings`;
    claim(`${tower} embeddings`, [tolerances.embeddings, 'absolute'], async () =>
      largestDifference((await embeddings())[name]!, await expected(name)),
    );
    if (tolerances.loss === undefined) continue; // nothing but the raw embeddings is stored or asked for
    claim(
      `${tower} embeddings, normalised`,
      [tolerances.normalised ?? tolerances.embeddings, 'absolute'],
      async () =>
        largestDifference((await embeddings())[`${name}_normalized`]!, await expected(`${name}_normalized`)),
    );
  }
  if (tolerances.logits !== undefined) {
    claim('logits', [tolerances.logits, 'absolute'], async () =>
      largestDifference((await pass()).logits, await expected('logits_per_image')),
    );
  }
  if (tolerances.loss !== undefined) {
    claim('loss', [tolerances.loss, 'absolute'], async () =>
      largestDifference((await pass()).loss, await expected('loss')),
    );
  }
  const { activations, gradients } = row;
  if (activations !== undefined) {
    claim(
      'activations inside both towers',
      // The READMEs give no tolerance of their own: that of the embeddings that follow from them.
      [tolerances.embeddings, 'absolute'],
      async () => {
        const { architecture } = await withCheckpoint(row, async (open) => open);
        const { watched } = await pass();
        const given = await readInputs(inputs);
        const stored = [...(await readFixtureTensors(activations))];
        return Math.max(
          ...stored
            .filter(([name]) => hasCounterpart(name, architecture))
            .map(([name, numbers]) => activationDifference(name, numbers, watched, architecture, given)),
        );
      },
      [activations],
    );
  }
  if (gradients !== undefined && tolerances.gradients !== undefined) {
    const [tolerance, unit] = tolerances.gradients;
    claim(
      'gradients of every parameter',
      [tolerance, unit],
      async () => {
        const stored = await readFixtureTensors(gradients);
        return largestDifferenceOfAll((await pass()).gradients, flattened(stored), unit);
      },
      [gradients],
    );
  }
  return checks;
}

function sourcePath({ source }: TowerRow): string {
  return typeof source === 'string' ? source : source.weights;
}

function flattened(arrays: ReadonlyMap<string, Numbers>): Map<string, Numbers> {
  return new Map([...arrays].map(([name, { data }]) => [name, { data, shape: [data.length] }]));
}
