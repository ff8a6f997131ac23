/** The zero-shot classifier: class matrix from several prompts a class, logits, probabilities, and the five best. */

import type { Clip } from '../../../src/clip/clip.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { createZeroShotClassifier } from '../../../src/tasks/classify/classify.ts';
import type { Tokenizer } from '../../../src/text/tokenizer.ts';
import { largestDifference, type Numbers, once, type ParityCheck } from '../check.ts';
import { fixture, readFixtureTensors } from '../fixture-files.ts';

const file = 'zeroshot/zeroshot.safetensors';
/** The fixture was computed with `vit-tiny`; these are the same weights under Hugging Face's names. */
const source = 'vit-tiny-hf/model.safetensors';

const expected = once(() => readFixtureTensors(file));

interface Answers {
  /** [embeddingSize, classes]. */
  matrix: Numbers;
  /** [n, classes]. */
  logits: Numbers;
  probabilities: Numbers;
  /** Classes of each picture, the likeliest five first, [n, 5]. */
  best: Numbers;
  bestProbabilities: Numbers;
}

const computed = once(async (): Promise<Answers> => {
  const tokens = (await expected()).get('tokens')!;
  const [classes, prompts] = tokens.shape as [number, number, number];
  const clip = await loadClip(fixture(source), { threads: 1 });
  try {
    const templates = Array.from({ length: prompts }, (_, prompt) => `{}/${prompt}`);
    const labels = Array.from({ length: classes }, (_, label) => `${label}`);
    const classifier = await createZeroShotClassifier(await withFixtureInputs(clip), labels, {
      templates,
      classCache: false,
    });
    const rows = await classifier.classify([]);
    const results = rows.map((row) => ('error' in row ? [] : row.results));
    const inOrder = results.map((row) => row.toSorted((a, b) => Number(a.label) - Number(b.label)));
    const { data, shape } = classifier.classMatrix;
    const size = shape[1]!;
    return {
      matrix: {
        data: Array.from(data, (_, at) => data[(at % classes) * size + Math.floor(at / classes)]!),
        shape: [size, classes],
      },
      logits: table(inOrder, ({ similarity }) => similarity * clip.logitScale),
      probabilities: table(inOrder, ({ probability }) => probability),
      best: table(results.map(five), ({ label }) => Number(label)),
      bestProbabilities: table(results.map(five), ({ probability }) => probability),
    };
  } finally {
    await clip.close();
  }
});

const five = <T>(row: readonly T[]): T[] => row.slice(0, 5);

function table<T>(rows: readonly (readonly T[])[], value: (cell: T) => number): Numbers {
  return { data: rows.flatMap((row) => row.map(value)), shape: [rows.length, rows[0]!.length] };
}

/**
 * The model with the fixture's ids in the place of sentences, "class/prompt", and its pixels in the place of
 * pictures: the fixture holds neither a vocabulary nor pictures. What follows after them is as in every model.
 */
async function withFixtureInputs(clip: Clip): Promise<Clip> {
  const numbers = await expected();
  const tokens = numbers.get('tokens')!;
  const pixels = numbers.get('pixels')!;
  const [, prompts, length] = tokens.shape as [number, number, number];
  const idsOf = (sentence: string): number[] => {
    const [label, prompt] = sentence.split('/').map(Number) as [number, number];
    const start = (label * prompts + prompt) * length;
    return Array.from(tokens.data).slice(start, start + length);
  };
  const tokenize = (sentences: readonly string[]) => {
    const ids = sentences.map(idsOf);
    return { data: BigInt64Array.from(ids.flat(), BigInt), shape: [ids.length, length] };
  };
  return {
    ...clip,
    tokenizer: async () => ({ tokenize }) as unknown as Tokenizer,
    embedTexts: (texts) => clip.embedTokens((typeof texts === 'string' ? [texts] : [...texts]).map(idsOf)),
    async *embedImageStream() {
      const data = Float32Array.from(pixels.data);
      const items = Array.from({ length: pixels.shape[0]! }, (_, row) => ({
        index: row,
        label: `${row}`,
        row,
      }));
      yield { embeddings: await clip.embedPixels({ data, shape: [...pixels.shape] }), items };
    },
  };
}

/** "1e-4." */
export const zeroShotChecks: readonly ParityCheck[] = [
  claim('class matrix of ten classes with seven prompts each', 'matrix', 'class_matrix'),
  claim('logits of eight pictures', 'logits', 'logits'),
  claim('probabilities', 'probabilities', 'probabilities'),
  claim('probabilities of the five best', 'bestProbabilities', 'top5_probability'),
  {
    ...claim('the five best classes, in their order', 'best', 'top5_index'),
    tolerance: 0,
    unit: 'cases',
    difference: async () => {
      const { data } = (await computed()).best;
      const wanted = (await expected()).get('top5_index')!;
      return Array.from(wanted.data).filter((index, at) => index !== data[at]).length;
    },
  },
];

function claim(what: string, answer: keyof Answers, truth: string): ParityCheck {
  return {
    folder: 'zeroshot',
    what,
    tolerance: 1e-4,
    needs: [file, source, 'vit-tiny-hf/config.json'],
    difference: async () => largestDifference((await computed())[answer], (await expected()).get(truth)!),
  };
}
