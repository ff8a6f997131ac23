/** The zero-shot head: class matrix from several prompts a class, logits, probabilities, and the five best. */
import { openCheckpoint } from '../../../src/checkpoint/index.ts';
import {
  gemm,
  input,
  multiply,
  reduceMean,
  reshape,
  softmax,
  transpose,
} from '../../../src/graph/operations.ts';
import { imageEncoder, logitParameters, normalizeEmbeddings, textEncoder } from '../../../src/models/clip.ts';
import { largestDifference, type Numbers, once, type ParityCheck } from '../check.ts';
import { evaluate, floats, integers } from '../engine.ts';
import { fixture, readFixtureTensors } from '../fixture-files.ts';

const file = 'zeroshot/zeroshot.safetensors';
/** The fixture was computed with `vit-tiny`; these are the same weights under Hugging Face's names. */
const source = 'vit-tiny-hf/model.safetensors';

const expected = once(() => readFixtureTensors(file));

const computed = once(async () => {
  const numbers = await expected();
  const tokens = numbers.get('tokens')!;
  const pixels = numbers.get('pixels')!;
  const [classes, prompts, length] = tokens.shape as [number, number, number];
  const { architecture, parameters } = await openCheckpoint(fixture(source));
  const size = architecture.embeddingSize;
  // The mean of a class's normalised prompts, normalised again: [classes, size].
  const texts = normalizeEmbeddings(
    textEncoder(architecture, input('tokens', [classes * prompts, length], 'int64')),
  );
  const heads = normalizeEmbeddings(reduceMean(reshape(texts, [classes, prompts, size]), [1]));
  const images = normalizeEmbeddings(imageEncoder(architecture, input('pixels', pixels.shape)));
  const { scale } = logitParameters(architecture);
  const logits = multiply(gemm(images, heads, undefined, { transposeB: true }), scale); // [n, classes]
  return evaluate(
    { class_matrix: transpose(heads, [1, 0]), logits, probabilities: softmax(logits) },
    { tokens: integers({ ...tokens, shape: [classes * prompts, length] }), pixels: floats(pixels) },
    { weights: parameters },
  );
});

/** "1e-4." */
export const zeroShotChecks: readonly ParityCheck[] = [
  ...[
    ['class_matrix', 'class matrix of ten classes with seven prompts each'],
    ['logits', 'logits of eight pictures'],
    ['probabilities', 'probabilities'],
  ].map(([name, what]) =>
    claim(what!, async () => largestDifference((await computed())[name!]!, (await expected()).get(name!)!)),
  ),
  claim('probabilities of the five best', async () => {
    const { best } = await ranked();
    return largestDifference(best, (await expected()).get('top5_probability')!);
  }),
  {
    ...claim('the five best classes, in their order', async () => {
      const { order } = await ranked();
      const wanted = (await expected()).get('top5_index')!;
      return order.filter((index, at) => index !== wanted.data[at]).length;
    }),
    tolerance: 0,
    unit: 'cases',
  },
];

function claim(what: string, difference: () => Promise<number>): ParityCheck {
  return {
    folder: 'zeroshot',
    what,
    tolerance: 1e-4,
    needs: [file, source, 'vit-tiny-hf/config.json'],
    difference,
  };
}

/** The five largest probabilities of every row, and where they stand. */
async function ranked(): Promise<{ best: Numbers; order: number[] }> {
  const { data, shape } = (await computed()).probabilities!;
  const [n, classes] = shape as [number, number];
  const order: number[] = [];
  const best: number[] = [];
  for (let i = 0; i < n; i++) {
    const row = Array.from(data).slice(i * classes, (i + 1) * classes);
    const top = row.map((probability, index) => ({ probability, index }));
    top.sort((a, b) => b.probability - a.probability);
    for (const { probability, index } of top.slice(0, 5)) {
      order.push(index);
      best.push(probability);
    }
  }
  return { best: { data: best, shape: [n, 5] }, order };
}
