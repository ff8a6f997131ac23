/** CoCa's two contrastive towers; its decoder writes captions and is no part of the embedding space. */
import { openCheckpoint } from '../../../src/checkpoint/index.ts';
import { largestDifference, type Numbers, once, type ParityCheck } from '../check.ts';
import { fixture, readFixtureTensors } from '../fixture-files.ts';
import { embed, type Inputs, trainingPass } from '../model.ts';

const folder = 'coca';
const needs = [
  'open_clip_model.safetensors',
  'open_clip_config.json',
  'inputs.safetensors',
  'outputs.safetensors',
].map((file) => `${folder}/${file}`);
const open = () => openCheckpoint(fixture(`${folder}/open_clip_model.safetensors`));

/** The original reads tokens[:, :-1] and has the last one as a label of the decoder only. */
async function readInputs(): Promise<Inputs> {
  const inputs = await readFixtureTensors(`${folder}/inputs.safetensors`);
  const tokens = inputs.get('tokens')!;
  const [n, length] = tokens.shape as [number, number];
  const data = Array.from(tokens.data).filter((_, at) => at % length < length - 1);
  return { pixels: inputs.get('pixels')!, tokens: { data, shape: [n, length - 1] } };
}

const expected = once(() => readFixtureTensors(`${folder}/outputs.safetensors`));
const activations = once(() => readFixtureTensors(`${folder}/activations.safetensors`));
const embeddings = once(async () => embed(await open(), await readInputs()));
const pass = once(async () => trainingPass(await open(), await readInputs(), { gradients: false }));

/** "Logits and tokens 1e-4, losses 2e-5." */
export const cocaChecks: readonly ParityCheck[] = [
  ...['image', 'text'].map((tower): ParityCheck => {
    const name = `${tower}_embeddings_normalized`;
    return {
      folder,
      what: `${tower} embeddings, normalised`,
      tolerance: 1e-4,
      needs,
      difference: async () => largestDifference((await embeddings())[name]!, (await expected()).get(name)!),
    };
  }),
  {
    folder,
    what: 'contrastive loss',
    tolerance: 2e-5,
    needs,
    difference: async () =>
      largestDifference((await pass()).loss, (await expected()).get('contrastive_loss')!),
  },
  {
    folder,
    what: 'blocks of both towers (of words and the class token)',
    tolerance: 1e-4,
    needs: [...needs, `${folder}/activations.safetensors`],
    difference: async () => {
      const { watched } = await pass();
      const { tokens } = await readInputs();
      const blocks = [...(await activations())].filter(([name]) => /^(image|text)\.block\./.test(name));
      return Math.max(
        ...blocks.map(([name, numbers]) => {
          const keep = (all: Numbers): Numbers =>
            name.startsWith('text.') ? withoutPadding(all, tokens) : { data: all.data, shape: [] };
          return largestDifference(keep(watched.get(name)!), keep(numbers));
        }),
      );
    },
  },
];

/** Rows of [n · (words + 1), width] that are no padding: nothing looks at padding, and only the original masks it there. */
function withoutPadding({ data }: Numbers, tokens: Numbers): Numbers {
  const [n, words] = tokens.shape as [number, number];
  const width = data.length / (n * (words + 1));
  const kept = Array.from(data).filter((_, at) => {
    const row = Math.floor(at / width);
    const place = row % (words + 1);
    return place === words || tokens.data[Math.floor(row / (words + 1)) * words + place] !== 0;
  });
  return { data: kept, shape: [kept.length] };
}
