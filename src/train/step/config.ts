/** What may be said about a training step: what is minimised, by which optimiser, with which noise. */
import { z } from 'zod';
import { adamWDefaults } from './optimizer.ts';

const weight = z.number().min(0).describe('By what this part of the loss is multiplied; 0 leaves it out.');

/**
 * `loss`: a sum of parts. Inputs that a part reads besides pixels, tokens and targets stand at its field; a row of zeros
 * in `features` or `class_targets` says that nothing is known of that picture, and the part passes over it.
 */
export const lossSchema = z.strictObject({
  contrastive: z
    .strictObject({ weight: weight.default(1) })
    .prefault({})
    .describe('Pictures against captions: cross-entropy or, where the model says sigmoid, pair by pair.'),
  features: z
    .strictObject({ weight: weight.default(1) })
    .optional()
    .describe('Foretelling a teacher’s `features` [batch, F] through a linear map, by cosine.'),
  similarities: z
    .strictObject({
      weight: weight.default(1),
      temperature: z.number().positive().default(0.05).describe('By what cosines are divided.'),
      between: z
        .enum(['images', 'pairs'])
        .default('images')
        .describe(
          'Pictures among themselves, or with captions, for which the teacher gives `text_features`.',
        ),
    })
    .optional()
    .describe('The teacher’s distribution over the batch, by Kullback and Leibler’s divergence.'),
  classification: z
    .strictObject({
      weight: weight.default(1),
      classes: z
        .enum(['embedded', 'cached', 'learned'])
        .default('embedded')
        .describe(
          'What a class is compared by: its words `class_tokens` [classes, length] through the text tower in every ' +
            'step, what the text tower made of its words some steps ago, or a learned row.',
        ),
      renewEverySteps: z
        .int()
        .positive()
        .default(200)
        .describe('Cached: steps after which the words of classes go through the text tower again.'),
      kinds: z
        .number()
        .min(0)
        .max(1)
        .default(0)
        .describe(
          'Share of a picture’s target that goes to what its class is a kind of, such as dog for pug.',
        ),
      temperature: z
        .number()
        .positive()
        .optional()
        .describe('By what cosines are divided. Without it the model’s own temperature.'),
      smoothing: z
        .number()
        .min(0)
        .lt(1)
        .default(0)
        .describe('Share of the target given to all classes alike.'),
    })
    .optional()
    .describe('Cross-entropy of classes against `class_targets` [batch, classes].'),
  distillation: z
    .strictObject({
      weight: weight.default(1),
      names: z
        .string()
        .min(1)
        .describe('A file with the names of the classes of the image net’s own classifier, in its order.'),
      temperature: z.number().positive().default(1).describe('By what its logits are divided.'),
      classes: z
        .enum(['embedded', 'cached'])
        .default('embedded')
        .describe(
          'What a class is compared by: a name of it, `name_tokens` [classes, length], through the text tower in ' +
            'every step, or what that made of its names some steps ago.',
        ),
      renewEverySteps: z
        .int()
        .positive()
        .default(200)
        .describe('Cached: steps after which the names go through the text tower again.'),
      from: z
        .string()
        .min(1)
        .optional()
        .describe('The image net with its classifier. Without it that of `initialise.image`.'),
      view: z
        .enum(['own', 'whole'])
        .default('own')
        .describe(
          'What the classifier is asked about: the view that is trained on, or (above a locked tower’s features) the ' +
            'whole picture, so that a coarse, cut or drawn view is called what the picture is.',
        ),
      kinds: z
        .number()
        .min(0)
        .max(1)
        .default(0)
        .describe(
          'Share of the target that goes to what classes of ImageNet are kinds of, such as dog for pug.',
        ),
    })
    .optional()
    .describe(
      'What the image net’s own classifier says of a picture, foretold from the names of its classes.',
    ),
  sentences: z
    .strictObject({
      weight: weight.default(1),
      batch: z.int().min(2).max(32_768).default(1024).describe('Sentences in a step.'),
      map: z
        .boolean()
        .optional()
        .describe(
          'Whether embeddings go through a linear map, which is thrown away with the trainer. Without it where widths differ.',
        ),
      relations: z
        .strictObject({
          weight: weight.default(1),
          temperature: z.number().positive().default(0.05).describe('By what cosines are divided.'),
        })
        .optional()
        .describe('What is near what among the sentences: see `similarities`.'),
    })
    .optional()
    .describe(
      'Sentences without pictures, `sentence_tokens` [sentences, length], against a text teacher’s ' +
        '`sentence_vectors` [sentences, W], by cosine.',
    ),
  pairs: z
    .strictObject({
      weight: weight.default(1),
      batch: z.int().min(2).max(32_768).default(256).describe('Pairs of sentences in a step.'),
      temperature: z.number().positive().default(0.05).describe('By what cosines are divided.'),
    })
    .optional()
    .describe(
      'Sentences that say the same in two languages against all others, `translation_tokens` [2 · pairs, length], by ' +
        'the contrastive cross-entropy with `translation_targets` [pairs, pairs].',
    ),
});

const warmupSteps = z.int().min(0).default(100).describe('Steps in which the rate rises from zero.');
const end = z.number().min(0).max(1).default(0).describe('The last rate as a share of the highest.');

export const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('cosine'), warmupSteps, end }),
  z.strictObject({ kind: z.literal('constant'), warmupSteps }),
  z.strictObject({
    kind: z.literal('cooldown'),
    warmupSteps,
    end,
    share: z
      .number()
      .gt(0)
      .max(1)
      .default(0.2)
      .describe('Share of the training, at its end, in which the rate falls in a line.'),
  }),
]);

/** `optimizer`: AdamW. */
export const optimizerSchema = z.strictObject({
  learningRate: z.number().positive().default(5e-4).describe('The highest learning rate.'),
  schedule: scheduleSchema.prefault({ kind: 'cosine' }),
  beta1: z.number().min(0).lt(1).default(adamWDefaults.beta1).describe('Decay of the mean of gradients.'),
  beta2: z
    .number()
    .min(0)
    .lt(1)
    .default(adamWDefaults.beta2)
    .describe('Decay of the mean of squared gradients.'),
  epsilon: z.number().positive().default(adamWDefaults.epsilon).describe('Added to the deviation.'),
  weightDecay: z
    .number()
    .min(0)
    .default(adamWDefaults.weightDecay)
    .describe(
      'Share that a step takes from matrices, times the learning rate; gains, biases and scale stay.',
    ),
  maxGradientNorm: z
    .number()
    .positive()
    .optional()
    .describe('Largest norm of all gradients together; larger ones are scaled down. Without it no limit.'),
  layerDecay: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe('By what the learning rate is multiplied from each block to the one below it.'),
  averaging: z
    .strictObject({ decay: z.number().gt(0).lt(1).default(0.999) })
    .optional()
    .describe('An exponential moving average of the parameters, kept beside them.'),
  maxLogitScale: z.number().gt(1).default(100).describe('By what cosines are multiplied at most.'),
});

/** `regularisation`: what is left out at random. */
export const regularisationSchema = z.strictObject({
  patchDropout: z.number().min(0).lt(1).default(0).describe('Share of each picture’s patches left out.'),
  stochasticDepth: z
    .strictObject({
      image: z.number().min(0).lt(1).default(0),
      text: z.number().min(0).lt(1).default(0),
    })
    .prefault({})
    .describe('Share of pictures or texts that pass by a tower’s last branches; earlier ones less.'),
  dropout: z
    .strictObject({
      image: z.number().min(0).lt(1).default(0),
      text: z.number().min(0).lt(1).default(0),
    })
    .prefault({})
    .describe(
      'Share of numbers that are zero inside and behind the projection head of an image tower, and in the hidden ' +
        'layers of a text tower that averages.',
    ),
});

/** `freeze`: `image` or `text` for a whole tower, or names of parameters in which * stands for anything. */
export const freezeSchema = z.array(z.string().min(1)).default([]);

/**
 * `imageTower`: the model's own; locked, with its projection learned above features that it is asked for once (Zhai et al.
 * 2022, LiT); or, in its place, a linear map of features that a teacher has computed before.
 */
export const imageTowerSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('model'),
      frozenApart: z
        .boolean()
        .default(false)
        .describe('Whether its frozen beginning runs as a program of its own, folded as for inference.'),
    }),
    z.strictObject({
      kind: z.literal('features'),
      views: z
        .int()
        .min(1)
        .max(64)
        .default(1)
        .describe('Views of each picture: the whole, and others that the augmentation draws.'),
      seed: z
        .int()
        .nonnegative()
        .default(1)
        .describe('What these views follow from, whatever the seed of the training is.'),
      cache: z
        .string()
        .min(1)
        .optional()
        .describe('Where features are kept. Without it `features` below the cache of the data.'),
      batch: z.int().min(1).max(1024).default(32).describe('Views that the tower is asked about at once.'),
    }),
    z.strictObject({ kind: z.literal('teacher'), size: z.int().positive() }),
  ])
  .default({ kind: 'model', frozenApart: false });

export type LossConfig = z.output<typeof lossSchema>;
export type ScheduleConfig = z.output<typeof scheduleSchema>;
export type OptimizerConfig = z.output<typeof optimizerSchema>;
export type RegularisationConfig = z.output<typeof regularisationSchema>;
export type ImageTowerConfig = z.output<typeof imageTowerSchema>;
