/** The contrastive losses by themselves: value and gradients for given features, scale and bias. */
import { differentiate } from '../../../src/graph/differentiate.ts';
import { input } from '../../../src/graph/operations.ts';
import { contrastiveLoss, sigmoidLoss, similarityLogits } from '../../../src/models/losses.ts';
import { largestDifference, type Numbers, once, type ParityCheck } from '../check.ts';
import { evaluate, floats } from '../engine.ts';
import { readFixtureTensors } from '../fixture-files.ts';

const file = 'losses/losses.safetensors';

const losses = [
  {
    name: 'clip',
    title: 'symmetric cross-entropy',
    of: contrastiveLoss,
    arguments: ['image', 'text', 'scale'],
  },
  { name: 'siglip', title: 'sigmoid loss', of: sigmoidLoss, arguments: ['image', 'text', 'scale', 'bias'] },
] as const;

export const lossChecks: readonly ParityCheck[] = losses.flatMap((row) =>
  [7, 12].flatMap((pairs): ParityCheck[] => {
    const expected = once(() => readFixtureTensors(file, `${row.name}.${pairs}.`));
    const computed = once(async () => {
      const numbers = await expected();
      const given = row.arguments.map((name) => input(name, numbers.get(name)!.shape));
      const [images, texts, scale, bias] = given;
      const loss = row.of(similarityLogits(images!, texts!, scale!, bias));
      const gradients = differentiate(loss, given);
      const results = Object.fromEntries(row.arguments.map((name, i) => [`d_${name}`, gradients[i]!]));
      const feeds = Object.fromEntries(row.arguments.map((name) => [name, floats(numbers.get(name)!)]));
      return evaluate({ loss, ...results }, feeds);
    });
    const difference = async (names: readonly string[]): Promise<number> => {
      const wanted: ReadonlyMap<string, Numbers> = await expected();
      const actual = await computed();
      return Math.max(...names.map((name) => largestDifference(actual[name]!, wanted.get(name)!)));
    };
    const common = { folder: 'losses', tolerance: 1e-5, needs: [file] };
    return [
      { ...common, what: `${row.title} of ${pairs} pairs`, difference: () => difference(['loss']) },
      {
        ...common,
        what: `its gradients by features, scale${row.name === 'siglip' ? ' and bias' : ''} (${row.title}, ${pairs} pairs)`,
        difference: () => difference(row.arguments.map((name) => `d_${name}`)),
      },
    ];
  }),
);
