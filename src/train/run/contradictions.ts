/**
 * What no training can do though each field for itself is right, found in the configuration alone: packing pictures and
 * asking a teacher, which come before the first step, may take an hour.
 */
import type { z } from 'zod';
import { EidosError } from '../../errors.ts';
import { resolveTemplates } from '../../text/templates.ts';
import type { TrainingConfig } from '../config.ts';
import { groupedDraws } from '../data/hard/hard-draws.ts';
import { asksAboutWhole } from '../step/distillation.ts';
import { readsPictures, sentencesOf, translationsOf } from '../step/text-groups.ts';

interface Contradiction {
  path: (string | number)[];
  message: string;
}

/** For `superRefine` of the configuration's schema. */
export function refuseContradictions(config: TrainingConfig, context: z.RefinementCtx): void {
  const found = [
    ...ofBatch(config),
    ...ofBeginning(config),
    ...ofLoss(config),
    ...ofImageTower(config),
    ...ofTeacher(config),
    ...ofTextAlone(config),
    ...ofSentences(config),
    ...ofHardBatches(config),
    ...ofTemplates(config),
  ];
  for (const issue of found) context.addIssue({ code: 'custom', ...issue });
}

function ofBatch({ batch, chunk }: TrainingConfig): Contradiction[] {
  if (chunk === undefined || batch % chunk === 0) return [];
  return [{ path: ['chunk'], message: `is ${chunk}, but "batch" ${batch} must be a multiple of it` }];
}

function ofBeginning({ initialise }: TrainingConfig): Contradiction[] {
  if (initialise === undefined) return [];
  const { from, only, image } = initialise;
  if (from === undefined && image === undefined) {
    return [{ path: ['initialise'], message: 'names nothing to begin with: give "from", "image" or both' }];
  }
  if (only !== undefined && from === undefined) {
    return [{ path: ['initialise', 'only'], message: 'is about towers of "from", which is missing' }];
  }
  if (only?.includes('image') === true && image !== undefined) {
    return [
      {
        path: ['initialise', 'only'],
        message: 'has "image", which "initialise.image" begins with other weights',
      },
    ];
  }
  return [];
}

/** A training step can do more than the data of a training give it. */
function ofLoss({ loss, imageTower }: TrainingConfig): Contradiction[] {
  const found: Contradiction[] = [];
  if (loss.similarities?.between === 'pairs') {
    found.push({
      path: ['loss', 'similarities', 'between'],
      message: 'must be "images": teachers see pictures only',
    });
  }
  if ((loss.distillation?.weight ?? 0) > 0 && imageTower.kind === 'teacher') {
    found.push({
      path: ['loss', 'distillation'],
      message:
        'is about the features of the image tower, and "imageTower" of kind "teacher" has others in its place',
    });
  }
  if (asksAboutWhole(loss) && imageTower.kind !== 'features') {
    found.push({
      path: ['loss', 'distillation', 'view'],
      message:
        'is "whole", which is known of a locked image tower alone: say "imageTower" of kind "features", or leave it away',
    });
  }
  if (Object.values(loss).every((part) => part === undefined || part.weight === 0)) {
    found.push({ path: ['loss'], message: 'every part has the weight 0; give one of them a weight' });
  }
  return found;
}

/** Noise of the model's own image tower, which features would pass by. */
function ofImageTower({ imageTower, regularisation, data }: TrainingConfig): Contradiction[] {
  if (imageTower.kind === 'model') return [];
  const message = `does nothing beside "imageTower" of kind "${imageTower.kind}", with which no tower sees pictures in a step`;
  return [
    ...(imageTower.kind === 'features' && (data.teacher?.crops ?? 0) > 0
      ? [
          {
            path: ['data', 'teacher', 'crops'],
            message:
              'are not the views that "imageTower" of kind "features" has: leave them away, or the latter',
          },
        ]
      : []),
    ...(regularisation.patchDropout > 0 ? [{ path: ['regularisation', 'patchDropout'], message }] : []),
    ...(imageTower.kind === 'teacher' && regularisation.dropout.image > 0
      ? [{ path: ['regularisation', 'dropout', 'image'], message }]
      : []),
    ...(regularisation.stochasticDepth.image > 0
      ? [{ path: ['regularisation', 'stochasticDepth', 'image'], message }]
      : []),
  ];
}

function ofTeacher({ data, loss, imageTower }: TrainingConfig): Contradiction[] {
  if (data.teacher !== undefined) return [];
  const asking = [
    ...(['features', 'similarities'] as const)
      .filter((part) => (loss[part]?.weight ?? 0) > 0)
      .map((part) => ['loss', part]),
    ...(imageTower.kind === 'teacher' ? [['imageTower']] : []),
    ...data.sources.flatMap(({ features }, at) =>
      features === undefined ? [] : [['data', 'sources', at, 'features']],
    ),
  ];
  return asking.map((path) => ({
    path,
    message: 'is about a teacher\'s features: give "data.teacher" a model or, for features on disk, a width',
  }));
}

/** What is about pictures, where there are none. */
function ofTextAlone({ data, loss, chunk, imageTower, regularisation }: TrainingConfig): Contradiction[] {
  if (data.sources.length > 0) return [];
  const { sentences: _, pairs: __, ...ofPictures } = loss;
  const noSources = 'there are no pictures ("data.sources")';
  const asking = Object.entries(ofPictures).flatMap(([part, own]) =>
    (own?.weight ?? 0) > 0
      ? [{ path: ['loss', part, 'weight'], message: `must be 0 where ${noSources}` }]
      : [],
  );
  if (data.sentences.length === 0) {
    return [
      { path: ['data', 'sources'], message: 'is empty, and so is "sentences": name what to learn from' },
    ];
  }
  const idle: [boolean, string[]][] = [
    [chunk !== undefined, ['chunk']],
    [imageTower.kind !== 'model', ['imageTower']],
    [regularisation.patchDropout > 0, ['regularisation', 'patchDropout']],
    [regularisation.stochasticDepth.image > 0, ['regularisation', 'stochasticDepth', 'image']],
    [data.teacher !== undefined, ['data', 'teacher']],
  ];
  return [
    ...asking,
    ...idle.flatMap(([isGiven, path]) =>
      isGiven ? [{ path, message: `does nothing where ${noSources}: leave it away` }] : [],
    ),
  ];
}

function ofHardBatches({ data, batch, imageTower, loss }: TrainingConfig): Contradiction[] {
  const { hardBatches: hard, textTeacher, teacher } = data;
  if (hard === undefined) return [];
  const at = (field: string, message: string): Contradiction[] => [
    { path: ['data', 'hardBatches', field], message },
  ];
  if (!readsPictures(loss)) {
    return [
      { path: ['data', 'hardBatches'], message: 'does nothing where no part of the loss reads pictures' },
    ];
  }
  if (groupedDraws({ ...hard, batch }) === 0) {
    return at(
      'group',
      `is ${hard.group}, more than the share ${hard.share} of a batch of ${batch}: make it smaller`,
    );
  }
  if (hard.by === 'captions') {
    return textTeacher?.command === undefined
      ? at('by', 'is "captions", and no "data.textTeacher.command" says what they mean')
      : [];
  }
  return imageTower.kind === 'features' || teacher !== undefined
    ? []
    : at(
        'by',
        'is "images", and nothing tells which are near one another: name a "data.teacher", lock the image tower ("imageTower" of kind "features"), or say "captions"',
      );
}

function ofSentences({ data: { sentences, textTeacher }, loss }: TrainingConfig): Contradiction[] {
  const found: Contradiction[] = [];
  if (textTeacher?.command !== undefined && textTeacher.width === undefined) {
    found.push({
      path: ['data', 'textTeacher', 'width'],
      message: 'is missing: it says how many numbers the command gives a sentence',
    });
  }
  if (translationsOf(loss) > 0 && sentences.every(({ languages }) => languages.length < 2)) {
    found.push({
      path: ['loss', 'pairs'],
      message: 'is about sentences in two languages: name a file of "data.sentences" with two "languages"',
    });
  }
  if (sentencesOf(loss) === 0) return found;
  if (sentences.every(({ vectors }) => vectors === false)) {
    found.push({
      path: ['loss', 'sentences'],
      message: 'is about a text teacher\'s vectors: name sentences as "data.sentences", and vectors of them',
    });
  }
  for (const [at, { vectors }] of sentences.entries()) {
    if (vectors !== undefined || textTeacher?.command !== undefined) continue;
    found.push({
      path: ['data', 'sentences', at, 'vectors'],
      message:
        'is missing: name a file of a text teacher\'s vectors, a "data.textTeacher.command" that makes them, or say false',
    });
  }
  return found;
}

function ofTemplates({ data, evaluation }: TrainingConfig): Contradiction[] {
  const all: [path: Contradiction['path'], templates: string | readonly string[] | undefined][] = [
    ...Object.entries(data.captions.templates).map(([language, templates]): [string[], typeof templates] => [
      ['data', 'captions', 'templates', language],
      templates,
    ]),
    ...(evaluation?.sets ?? []).map(({ templates }, at): [(string | number)[], typeof templates] => [
      ['evaluation', 'sets', at, 'templates'],
      templates,
    ]),
  ];
  return all.flatMap(([path, templates]) => {
    try {
      if (templates !== undefined) resolveTemplates(templates);
      return [];
    } catch (error) {
      if (!(error instanceof EidosError)) throw error;
      return [{ path, message: error.message }];
    }
  });
}
