/** What a step minimises: a weighted sum of losses, each of them a function of embeddings and of what is known of them. */
import { EidosError } from '../../errors.ts';
import { linear, normalize, total } from '../../graph/derived.ts';
import { normal, zeros } from '../../graph/initialise.ts';
import {
  add,
  constant,
  gemm,
  greater,
  multiply,
  parameter,
  reduceSum,
  reshape,
  slice,
  transpose,
  where,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { logitParameters } from '../../models/clip.ts';
import {
  contrastiveLoss,
  divergence,
  featureLoss,
  partialCrossEntropy,
  sigmoidLoss,
  similarityLogits,
} from '../../models/losses.ts';
import type { LossConfig } from './config.ts';
import { asksAboutWhole, distillationLoss } from './distillation.ts';
import type { Inputs } from './inputs.ts';

/** What the towers made of a batch, all rows of unit length. */
export interface Embeddings {
  images: Value; // [batch, embeddingSize]
  /** Captions, [batch, embeddingSize], where the loss reads pairs. */
  texts?: Value | undefined;
  /** Words of classes, [classes, embeddingSize], where the loss wants them embedded. */
  classes?: Value | undefined;
  /** Sentences without pictures, [sentences, embeddingSize], where the loss reads them. */
  sentences?: Value | undefined;
  /** Pairs in two languages, [2 · pairs, embeddingSize], one side before the other, where the loss reads them. */
  translations?: Value | undefined;
  /** Names that an image net's own classifier is foretold by, [names, embeddingSize], where they are embedded. */
  names?: Value | undefined;
  /** Pooled features of the pictures [batch, width], as they are, where that classifier reads them. */
  seen?: Value | undefined;
}

export interface ObjectiveOptions {
  loss: LossConfig;
  /** Pairs in a batch. */
  batch: number;
  /** Whether `targets` [batch, batch] says which pairs match. Without it picture i matches text i alone. */
  targets: boolean;
  /** Features of the teacher, where the loss has a part about them. */
  features?: number | undefined;
  /** Classes, where the loss has a part about them. */
  classes?: number | undefined;
  /** Names that an image net's own classifier is foretold by, where the loss has a part about it. */
  names?: number | undefined;
  /** Classes of that classifier, where there are more names than classes. */
  namedClasses?: number | undefined;
  /** Numbers of a text teacher's vector, where the loss has a part about them. */
  sentenceWidth?: number | undefined;
}

export interface Objective {
  loss: Value;
  /** Each part by its name in the configuration, before it is weighted, and what some are made of. */
  parts: Record<string, Value>;
  /** What teaches though it depends on parameters: no gradient goes through it. */
  targets: Value[];
}

/** @throws EidosError `invalid_option` where nothing is to be minimised, or a size that a part needs is missing */
export function objective(
  architecture: ClipArchitecture,
  input: Inputs,
  { images, classes, ...beside }: Embeddings,
  options: ObjectiveOptions,
): Objective {
  const { loss, batch } = options;
  const texts = beside.texts!;
  const logit = logitParameters(architecture);
  const embeddingSize = architecture.embeddingSize;
  const features = (part: string): Value =>
    input('features', [batch, needed(options.features, 'features', part)]);

  /** What a part is made of, where it tells it apart. */
  const details: Record<string, Value> = {};
  const targets: Value[] = [];

  const makers: { readonly [P in keyof LossConfig]-?: () => Value } = {
    contrastive: () => {
      const targets = options.targets ? input('targets', [batch, batch]) : undefined;
      const logits = similarityLogits(images, texts, logit.scale, logit.bias);
      return architecture.probability === 'softmax'
        ? contrastiveLoss(logits, targets)
        : sigmoidLoss(logits, targets);
    },
    features: () => {
      const wanted = features('features');
      const size = Number(wanted.shape[1]);
      // The map is no part of the model; it is thrown away with the trainer.
      const head = parameter('distillation.head', [size, embeddingSize], normal(embeddingSize ** -0.5));
      return featureLoss(normalize(linear(images, head)), wanted);
    },
    similarities: () => {
      const { between, temperature } = loss.similarities!;
      const shown = features('similarities');
      const cosines = (a: Value, b: Value): Value =>
        gemm(a, b, undefined, { transposeB: true, scale: 1 / temperature });
      if (between === 'images') {
        const self = hideDiagonal(batch);
        const student = add(cosines(images, images), self);
        return divergenceWhereKnown(student, add(cosines(shown, shown), self), shown, shown);
      }
      const said = input('text_features', shown.shape);
      const student = cosines(images, texts);
      const teacher = cosines(shown, said);
      const turned = (logits: Value): Value => transpose(logits, [1, 0]);
      const toTexts = divergenceWhereKnown(student, teacher, shown, said);
      const toImages = divergenceWhereKnown(turned(student), turned(teacher), said, shown);
      return multiply(add(toTexts, toImages), 0.5);
    },
    classification: () => {
      const { classes: kind, temperature, smoothing } = loss.classification!;
      const count = needed(options.classes, 'classes', 'classification');
      const shape = [count, embeddingSize];
      const rows = {
        embedded: () => classes!,
        // No gradient reaches them; whoever trains renews them.
        cached: () => parameter(cachedClasses, shape, zeros, { trainable: false }),
        learned: () => normalize(parameter('classification.weight', shape, normal(embeddingSize ** -0.5))),
      }[kind]();
      const scale = temperature === undefined ? logit.scale : constant(Float32Array.of(1 / temperature), []);
      const targets = smoothed(input('class_targets', [batch, count]), smoothing);
      return partialCrossEntropy(similarityLogits(images, rows, scale), targets);
    },
    distillation: () => {
      const names = needed(options.names, 'names', 'distillation');
      const named = options.namedClasses ?? names;
      const seen = needed(beside.seen, 'pictures that the tower or its features show', 'distillation');
      const { loss: part, target } = distillationLoss({
        image: architecture.image,
        seen: asksAboutWhole(loss) ? input('whole_features', seen.shape) : seen,
        images,
        embedded: beside.names,
        names,
        shares: named === names ? undefined : input('name_shares', [named, names]),
        scale: logit.scale,
        temperature: loss.distillation!.temperature,
      });
      targets.push(target);
      return part;
    },
    sentences: () => {
      const { batch: count, map, relations } = loss.sentences!;
      const width = needed(options.sentenceWidth, 'vectors of sentences', 'sentences');
      const wanted = input('sentence_vectors', [count, width]);
      const embedded = beside.sentences!;
      if (map === false && width !== embeddingSize) {
        throw new EidosError(
          'invalid_option',
          `loss.sentences.map is false, but the text teacher's vectors have ${width} numbers and the model's embeddings ${embeddingSize}: leave it out, and a map is learned between them.`,
        );
      }
      const mapped = (): Value => {
        const head = parameter('sentences.head', [width, embeddingSize], normal(embeddingSize ** -0.5));
        return normalize(linear(embedded, head));
      };
      const isMapped = map ?? width !== embeddingSize;
      const cosine = featureLoss(isMapped ? mapped() : embedded, wanted);
      if (relations === undefined || relations.weight === 0) return cosine;
      const self = hideDiagonal(count);
      const among = (rows: Value): Value =>
        add(gemm(rows, rows, undefined, { transposeB: true, scale: 1 / relations.temperature }), self);
      // Of the embeddings themselves: what is near what shall hold without the map.
      const distance = divergenceWhereKnown(among(embedded), among(wanted), wanted, wanted);
      details.sentences = cosine;
      details['sentences.relations'] = distance;
      return add(cosine, multiply(distance, relations.weight));
    },
    pairs: () => {
      const { batch: count, temperature } = loss.pairs!;
      const both = beside.translations!;
      const [ones, others] = [slice(both, 0, 0, count), slice(both, 0, count, 2 * count)];
      const logits = gemm(ones, others, undefined, { transposeB: true, scale: 1 / temperature });
      return contrastiveLoss(logits, input('translation_targets', [count, count]));
    },
  };

  const names = (Object.keys(makers) as (keyof LossConfig)[]).filter((name) => (loss[name]?.weight ?? 0) > 0);
  if (names.length === 0) {
    throw new EidosError('invalid_option', 'loss: every part has the weight 0; give one of them a weight.');
  }
  const parts = Object.fromEntries(names.map((name) => [name, makers[name]()]));
  const weighted = names.map((name) => {
    const { weight } = loss[name]!;
    return weight === 1 ? parts[name]! : multiply(parts[name]!, weight);
  });
  return { loss: total(weighted), parts: { ...parts, ...details }, targets };
}

/** The state with what the text tower made of the words of classes, [classes, embeddingSize], rows of unit length. */
export const cachedClasses = 'classification.embeddings';

/** The part about classes, where it counts. */
export function namingLoss({ classification }: LossConfig): LossConfig['classification'] {
  return (classification?.weight ?? 0) > 0 ? classification : undefined;
}

/** Whether names of classes go through the text tower in every step. */
export function embedsClasses(loss: LossConfig): boolean {
  return namingLoss(loss)?.classes === 'embedded';
}

/**
 * The divergence of similarities [rows, columns] from a teacher's. What the teacher has not seen, a row of zeros in its
 * features, asks for nothing and is nobody's neighbour.
 */
function divergenceWhereKnown(student: Value, teacher: Value, rows: Value, columns: Value): Value {
  const known = (features: Value): Value => greater(reduceSum(multiply(features, features), [1], true), 0.5); // [n, 1]
  const hidden = where(reshape(known(columns), [1, columns.shape[0]!]), 0, unreachable);
  return divergence(add(student, hidden), add(teacher, hidden), where(known(rows), 1, 0));
}

/** To itself a picture's similarity is always 1 and says nothing. */
function hideDiagonal(n: number): Value {
  const data = Float32Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? unreachable : 0));
  return constant(data, [n, n]);
}

/** Far below every logit, yet finite: −∞ times a probability of 0 would be no number. */
const unreachable = -1e9;

/** (1 − s)·target + s / classes, for rows that have a target. */
function smoothed(targets: Value, smoothing: number): Value {
  if (smoothing === 0) return targets;
  const known = reduceSum(targets, [1], true); // [batch, 1]
  return add(multiply(targets, 1 - smoothing), multiply(known, smoothing / Number(targets.shape[1])));
}

function needed<T>(given: T | undefined, name: string, part: string): T {
  if (given !== undefined) return given;
  throw new EidosError(
    'invalid_option',
    `loss.${part} needs data with ${name}; the data that are configured have none.`,
  );
}
