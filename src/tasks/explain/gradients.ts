/** Programs that run a tower and its gradients: what its attention and its last maps have to do with a direction of the space. */

import type { Clip } from '../../clip/clip.ts';
import { insideOf } from '../../clip/inside.ts';
import { compileGraph } from '../../engine/compile.ts';
import type { Session } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import { normalize } from '../../graph/derived.ts';
import { differentiate } from '../../graph/differentiate.ts';
import { symbolic } from '../../graph/dimension.ts';
import { input, multiply, reduceMean, reduceSum, relu } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ImageArchitecture } from '../../models/architecture.ts';
import { imageEncoder } from '../../models/clip.ts';
import { pictureShape } from '../../models/sides.ts';

/** What a program is asked: pixels [n, 3, h, w], and the direction [n, embeddingSize] whose share is explained. */
export interface GradientQuestion {
  pixels: Float32Array;
  directions: Float32Array;
  count: number;
}

export interface NamedArray {
  data: Float32Array;
  shape: readonly number[];
}

export interface GradientPrograms {
  /** Of each block, mean over heads of max(0, gradient ⊙ attention), [n, tokens, tokens]; the pool's, [n, 1, tokens]. */
  relevance(question: GradientQuestion): Promise<{ blocks: NamedArray[]; pool: NamedArray | undefined }>;
  /** Of each block, mean over heads of the attention; the pool's. */
  attention(question: GradientQuestion): Promise<{ blocks: NamedArray[]; pool: NamedArray | undefined }>;
  /** The last maps of a convolutional tower, and their gradients, [n, channels, rows, columns]. */
  maps(question: GradientQuestion): Promise<{ maps: NamedArray; gradient: NamedArray }>;
  /** Gradients of the pixels, [n, 3, h, w], and the score of each picture. */
  pixels(question: GradientQuestion): Promise<{ gradient: NamedArray; scores: Float32Array }>;
}

interface Opened {
  session: Session;
  fetches: readonly string[];
}

/** Where a convolutional tower's last map is told to watchers. */
export function lastMap(image: ImageArchitecture): string | undefined {
  switch (image.kind) {
    case 'vit':
      return undefined;
    case 'resnet':
      return `image.stage.${image.layers.length - 1}`;
    case 'basic_resnet':
    case 'convnext':
      return `image.stage.${image.blocks.length - 1}`;
    case 'efficientnet':
      return 'image.head';
    case 'fastvit':
      return `image.stage.${image.stages.length - 1}`;
  }
}

/**
 * @param clip whose programs are compiled when they are first asked for, once for any number of pictures
 * @param factor of the cosine with a direction: attention is explained in the units of the model's logits
 */
export function gradientPrograms(clip: Clip, factor: number): GradientPrograms {
  const { architecture } = clip.config;
  const shape = pictureShape(architecture.image);
  const sessions = new Map<string, Promise<Opened>>();

  /** The tower with its watched values, and the sum of all pictures' shares of their directions. */
  const tower = () => {
    const n = symbolic('n');
    const watched = new Map<string, Value>();
    const pixels = input('pixels', [n, ...shape]);
    const directions = input('directions', [n, clip.embeddingSize]);
    const embeddings = imageEncoder(architecture, pixels, {
      watch(name, value) {
        watched.set(name, value);
        return value;
      },
    });
    const scores = multiply(reduceSum(multiply(normalize(embeddings), directions), [1]), factor);
    return { pixels, watched, scores, loss: reduceSum(scores, [0]) };
  };

  const session = (name: string, results: () => Record<string, Value>): Promise<Opened> => {
    const known = sessions.get(name);
    if (known !== undefined) return known;
    const made = open(results());
    made.catch(() => sessions.delete(name));
    sessions.set(name, made);
    return made;
  };
  const open = async (results: Record<string, Value>): Promise<Opened> => {
    const { engine, weights } = insideOf(clip);
    return { session: await compileGraph(engine, results, weights), fetches: Object.keys(results) };
  };

  const ask = async (
    opened: Promise<Opened>,
    { pixels, directions, count }: GradientQuestion,
  ): Promise<Record<string, NamedArray>> => {
    const { session: program, fetches } = await opened;
    const feeds = {
      pixels: { type: 'float32', data: pixels, shape: [count, ...shape] },
      directions: { type: 'float32', data: directions, shape: [count, clip.embeddingSize] },
    } as const;
    const outputs = await program.run(feeds, { fetches });
    return outputs as unknown as Record<string, NamedArray>;
  };

  /** Attention by block, and the pool's under the name `pool`. */
  const attentions = (watched: ReadonlyMap<string, Value>): [string, Value][] =>
    [...watched].flatMap(([name, value]): [string, Value][] => {
      if (name === 'image.pool.attention') return [['pool', value]];
      const block = /^image\.attention\.(\d+)$/.exec(name)?.[1];
      return block === undefined ? [] : [[`block.${block}`, value]];
    });

  const layers = architecture.image.kind === 'vit' ? architecture.image.layers : 0;
  const perLayer = async (opened: Promise<Opened>, question: GradientQuestion) => {
    const outputs = await ask(opened, question);
    const blocks = Array.from({ length: layers }, (_, layer) => outputs[`block.${layer}`]!);
    return { blocks, pool: outputs.pool };
  };

  return {
    relevance: (question) =>
      perLayer(
        session('relevance', () => {
          const { watched, loss } = tower();
          const all = attentions(watched);
          const gradients = differentiate(
            loss,
            all.map(([, value]) => value),
          );
          return Object.fromEntries(
            all.map(([name, value], at) => [name, reduceMean(relu(multiply(gradients[at]!, value)), [1])]),
          );
        }),
        question,
      ),
    attention: (question) =>
      perLayer(
        session('attention', () => {
          const { watched, scores } = tower();
          const means = attentions(watched).map(([name, value]) => [name, reduceMean(value, [1])] as const);
          return { ...Object.fromEntries(means), scores };
        }),
        question,
      ),
    async maps(question) {
      const outputs = await ask(
        session('maps', () => {
          const { watched, loss } = tower();
          const name = lastMap(architecture.image);
          const maps = name === undefined ? undefined : watched.get(name);
          if (maps === undefined) {
            throw new EidosError('invalid_option', 'Grad-CAM needs an image tower of convolutions.');
          }
          return { maps, gradient: differentiate(loss, [maps])[0]! };
        }),
        question,
      );
      return { maps: outputs.maps!, gradient: outputs.gradient! };
    },
    async pixels(question) {
      const outputs = await ask(
        session('pixels', () => {
          const { pixels, scores, loss } = tower();
          return { gradient: differentiate(loss, [pixels])[0]!, scores };
        }),
        question,
      );
      return { gradient: outputs.gradient!, scores: outputs.scores!.data };
    },
  };
}
