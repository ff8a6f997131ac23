/** Why a picture fits a text: which of its places speak for it, which words, and how far the answer can be trusted. */
import type { Clip, EmbedImagesOptions } from '../../clip/clip.ts';
import { EidosError, requireKnownOptions } from '../../errors.ts';
import { preprocessImages } from '../../image/pipeline.ts';
import { type ImageSource, imageLabel } from '../../image/source.ts';
import { pictureShape } from '../../models/sides.ts';
import { type Cells, overPicture, type PictureMap, whereabouts } from './cells.ts';
import { type Concept, findConcepts } from './concepts.ts';
import { type Faithfulness, measureFaithfulness } from './faithfulness.ts';
import { gradientPrograms } from './gradients.ts';
import { type ExplanationMethod, methods, type Question, usualMethod } from './methods.ts';
import { type WordEffect, wordEffects } from './words.ts';

export type { PictureMap } from './cells.ts';
export type { Concept } from './concepts.ts';
export type { Faithfulness } from './faithfulness.ts';
export type { ExplanationMethod } from './methods.ts';
export type { WordEffect } from './words.ts';

export interface ExplainOptions {
  /** The text, as typed. */
  text: string;
  /** What speaks for `text` rather than for this one. @default none: for `text` alone */
  against?: string | undefined;
  /** @default relevance where attention tells which token came from where, Grad-CAM for convolutions, else occlusion */
  method?: ExplanationMethod | undefined;
  /** Whether the map is put to the test, which takes some 140 embeddings. @default true */
  faithfulness?: boolean | undefined;
  /** Words that the picture is written as a sum of. @default some hundred everyday words */
  vocabulary?: readonly string[] | undefined;
  /** Of the words that come with eidos. @default 'en' */
  language?: 'en' | 'de' | undefined;
  /** For what is drawn at random. @default 0 */
  seed?: number | undefined;
}

export interface Explanation {
  image: string;
  text: string;
  against?: string;
  /** Cosine of picture and text; with `against` the difference of the two cosines. */
  similarity: number;
  method: ExplanationMethod;
  /** Over the whole upright picture; above 0 speaks for the text, below against it. */
  map: PictureMap;
  /** In words where what speaks for the text lies. */
  where: string;
  words: WordEffect[];
  concepts: Concept[];
  /** How much of the picture's embedding the concepts explain: a cosine. */
  conceptsExplain: number;
  faithfulness?: Faithfulness;
  /** Integrated gradients alone: by how much the values miss the change that they are to add up to. */
  completeness?: number;
}

export interface Explainer {
  /**
   * @throws EidosError what reading a picture fails with; `invalid_option` for an empty text, an unknown method or one that
   * the model's tower has nothing for
   */
  explain(image: ImageSource, options: ExplainOptions): Promise<Explanation>;
  /** The methods that the model's tower has what it needs for, the usual one first. */
  readonly methods: readonly ExplanationMethod[];
}

const explainOptions = {
  text: true,
  against: true,
  method: true,
  faithfulness: true,
  vocabulary: true,
  language: true,
  seed: true,
} as const;

/**
 * Gradients are programs of the model's own graph in fp32, compiled when they are first needed, for any number of pictures.
 * @param options how pictures are read
 * @throws EidosError `invalid_option` for a model that `loadClip` did not open
 */
export function createExplainer(
  clip: Clip,
  options: Pick<EmbedImagesOptions, 'resize' | 'orientation' | 'appearance' | 'maxPixels' | 'signal'> = {},
): Explainer {
  const { image: tower } = clip.config.architecture;
  const [, height = 0, width = 0] = pictureShape(tower);
  const usual = usualMethod(tower);
  const names = Object.keys(methods) as ExplanationMethod[];
  const suitable = [usual, ...names.filter((name) => name !== usual && methods[name].suits(tower))];
  // In the units of logits, which is what attention's relevance was defined for.
  const programs = gradientPrograms(clip, clip.logitScale);

  return {
    methods: suitable,

    async explain(source, given) {
      requireKnownOptions<ExplainOptions>('explain', given, explainOptions);
      const { text, against, method = usual, faithfulness = true, seed = 0 } = given;
      for (const [name, value] of [
        ['text', text],
        ['against', against],
      ] as const) {
        if (name === 'against' && value === undefined) continue;
        if (typeof value !== 'string' || value.trim() === '') {
          throw new EidosError(
            'invalid_option',
            `explain: ${name} is empty; say what the picture is compared with.`,
          );
        }
      }
      if (!names.includes(method)) {
        throw new EidosError(
          'invalid_option',
          `There is no method '${String(method)}': ${names.join(', ')} are there.`,
        );
      }
      if (!suitable.includes(method)) {
        throw new EidosError(
          'invalid_option',
          `The method '${method}' has nothing to look at in this model's image tower; ${suitable.join(', ')} have.`,
        );
      }
      const { pixels, picture } = await readPicture(source);
      const texts = await clip.embedTexts(against === undefined ? [text] : [text, against]);
      const size = clip.embeddingSize;
      const direction = texts.data.slice(0, size);
      if (against !== undefined) for (let i = 0; i < size; i++) direction[i]! -= texts.data[size + i]!;

      const shape = (count: number): number[] => [count, 3, height, width];
      const embed = (data: Float32Array, count: number) => clip.embedPixels({ data, shape: shape(count) });
      const score = async (data: Float32Array, count: number): Promise<Float32Array> => {
        const { data: rows } = await embed(data, count);
        return Float32Array.from({ length: count }, (_, row) => cosine(rows, row, direction));
      };
      const question: Question = { image: tower, pixels, height, width, direction, programs, score, seed };
      const { data: own } = await embed(pixels.slice(), 1);
      const cells: Cells & { completeness?: number } = await methods[method].cells(question);
      const map = overPicture(cells, picture, clip.config.preprocessing);
      const { vocabulary, language } = given;
      const [words, { concepts, explained }] = [
        await wordEffects(clip, text, own),
        await findConcepts(clip, own, { vocabulary, language }),
      ];
      return {
        image: imageLabel(source),
        text,
        ...(against === undefined ? {} : { against }),
        similarity: cosine(own, 0, direction),
        method,
        map,
        where: whereabouts(map),
        words,
        concepts,
        conceptsExplain: explained,
        ...(faithfulness ? { faithfulness: await measureFaithfulness(cells, question) } : {}),
        ...(cells.completeness === undefined ? {} : { completeness: cells.completeness / clip.logitScale }),
      };
    },
  };

  async function readPicture(source: ImageSource) {
    let picture = { width, height };
    const batches = preprocessImages(source, clip.config.preprocessing, {
      ...options,
      maxPixels: options.maxPixels ?? clip.config.maxPixels,
      batchSize: 1,
      onError: 'throw',
      onDecoded: (decoded) => {
        picture = { width: decoded.width, height: decoded.height };
      },
    });
    for await (const { data } of batches) return { pixels: data.slice(0, 3 * height * width), picture };
    throw new EidosError('invalid_option', 'explain takes one picture, and there is none.');
  }
}

function cosine(rows: Float32Array, row: number, direction: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < direction.length; i++) sum += rows[row * direction.length + i]! * direction[i]!;
  return sum;
}
