/** eidos' own layout, for towers that nobody else publishes: canonical names as they are, the architecture in `config.json`. */
import { EidosError } from '../../errors.ts';
import { clipPreprocessing } from '../../models/preprocessing.ts';
import { canonicalShapes } from '../parameters.ts';
import type { Layout } from './layout.ts';

export const eidos: Layout = {
  recognise: (shapes) =>
    shapes.has('text.token_embedding') && [...shapes.keys()].some((name) => name.startsWith('image.')),

  architecture(_, { eidos: config }) {
    if (config === undefined) {
      throw new EidosError(
        'invalid_checkpoint',
        'These weights are in eidos’ own layout, which needs the config.json that was written beside them.',
      );
    }
    return config.architecture;
  },

  published: (clip) => new Map([...canonicalShapes(clip).keys()].map((name) => [name, { from: name }])),

  ignores: () => false,

  settings: 'hugging_face',

  preprocessing: ({ image }) => ({ ...clipPreprocessing, size: image.imageSize }),
};
