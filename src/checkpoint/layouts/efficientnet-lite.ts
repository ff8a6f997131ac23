/** The layout of the package efficientnet_lite_pytorch: Google's EfficientNet-Lite weights under PyTorch's names. */
import { EidosError } from '../../errors.ts';
import type {
  EfficientNetArchitecture,
  ImageClassifierArchitecture,
  InvertedResidualStage,
} from '../../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../models/preprocessing.ts';
import type { ImageClassifierLayout } from './layout.ts';
import { addBatchNorm, addPair, type NameTable } from './names.ts';
import type { ShapeTable } from './shape-table.ts';

/** Strides and kernels of the stages, the same in every Lite (efficientnet_lite_builder.py); widths and blocks vary. */
const strides = [1, 2, 2, 2, 1, 2, 1];
const kernelSizes = [3, 3, 5, 3, 5, 5, 3];

/** Sides of the pictures that each Lite was trained on, by the blocks and widths of its stages. */
const trainedSides = new Map([
  ['1,2,2,3,3,4,1 16,24,40,80,112,192,320', 224], // Lite0
  ['1,3,3,4,4,5,1 16,24,40,80,112,192,320', 240], // Lite1
  ['1,3,3,4,4,5,1 16,24,48,88,120,208,352', 260], // Lite2
  ['1,3,3,5,5,6,1 24,32,48,96,136,232,384', 280], // Lite3
  ['1,4,4,6,6,8,1 24,32,56,112,160,272,448', 300], // Lite4
]);

/** The side for sizes that nobody published. */
const usualSide = 224;

export const efficientNetLite: ImageClassifierLayout = {
  anchor: '_conv_stem.weight',

  recognise: (shapes) =>
    shapes.has('_conv_stem.weight') && shapes.has('_conv_head.weight') && shapes.has('_fc.weight'),

  architecture(table) {
    if ([...table.shapes.keys()].some((name) => name.includes('._se_reduce.'))) {
      throw new EidosError(
        'unsupported_checkpoint',
        'The checkpoint is an EfficientNet with squeeze and excitation, which eidos does not have; it reads the Lite family.',
      );
    }
    const stages = stagesOf(table);
    const blocks = stages.map((stage) => stage.blocks);
    const widths = stages.map(({ width }) => width);
    return {
      image: {
        kind: 'efficientnet',
        imageSize: trainedSides.get(`${blocks} ${widths}`) ?? usualSide,
        stemWidth: table.axis('_conv_stem.weight', 4, 0),
        stages,
        headWidth: table.axis('_conv_head.weight', 4, 0),
        activation: 'relu6',
        normEpsilon: 1e-3,
        pool: 'average',
        projection: { kind: 'linear' },
      },
      classes: table.axis('_fc.weight', 2, 0),
    };
  },

  published: ({ image }) => {
    if (image.kind === 'efficientnet') return names(image);
    throw new EidosError(
      'unsupported_checkpoint',
      `EfficientNet's layout has no tower of kind '${image.kind}'.`,
    );
  },

  ignores: (name) => name.endsWith('.num_batches_tracked'),

  preprocessing,
};

/** Blocks lie in one row; where the width changes, a stage begins. */
function stagesOf(table: ShapeTable): InvertedResidualStage[] {
  const stages: InvertedResidualStage[] = [];
  const count = table.blocks('_blocks.');
  let from = table.axis('_conv_stem.weight', 4, 0);
  for (let block = 0; block < count; block++) {
    const name = `_blocks.${block}`;
    const [inside = 0, , kernelSize = 0] = table.shape(`${name}._depthwise_conv.weight`, 4);
    const width = table.axis(`${name}._project_conv.weight`, 4, 0);
    const expansion = inside / from;
    const stage = stages[stages.length - 1];
    if (stage !== undefined && width === from) stage.blocks++;
    else {
      const stride = strides[stages.length] ?? 1;
      stages.push({ kernelSize, stride, expansion, width, blocks: 1 });
    }
    const { kernelSize: usual, expansion: times } = stages[stages.length - 1]!;
    if (kernelSize !== usual || expansion !== times || !Number.isInteger(expansion)) {
      throw strange(`'${name}._depthwise_conv.weight' has ${inside} channels and kernels of ${kernelSize}`);
    }
    from = width;
  }
  const kernels = stages.map(({ kernelSize }) => kernelSize);
  if (kernels.join() !== kernelSizes.join()) throw strange(`the kernels of its stages are ${kernels}`);
  return stages;
}

function strange(what: string): EidosError {
  return new EidosError(
    'unsupported_checkpoint',
    `The checkpoint has the names of an EfficientNet-Lite, but ${what}: its strides, which weights do not show, cannot be known.`,
  );
}

function names(image: EfficientNetArchitecture): NameTable {
  const table: NameTable = new Map();
  const add = (to: string, conv: string, norm: string): void => {
    table.set(`${to}.conv.weight`, { from: `${conv}.weight` });
    addBatchNorm(table, `${to}.norm`, norm);
  };
  add('image.stem', '_conv_stem', '_bn0');
  let at = 0;
  for (const [stage, { blocks, expansion }] of image.stages.entries()) {
    for (let block = 0; block < blocks; block++, at++) {
      const to = `image.stages.${stage}.${block}`;
      const from = `_blocks.${at}`;
      if (expansion > 1) add(`${to}.expand`, `${from}._expand_conv`, `${from}._bn0`);
      add(`${to}.depthwise`, `${from}._depthwise_conv`, `${from}._bn1`);
      add(`${to}.narrow`, `${from}._project_conv`, `${from}._bn2`);
    }
  }
  add('image.head', '_conv_head', '_bn1');
  addPair(table, 'image.classifier', '_fc');
  return table;
}

/**
 * As the authors normalise. They also cut away the edges, all but side / (side + 32) of the short side, after which a
 * picture is resized bicubically; here it is seen whole.
 */
function preprocessing({ image }: ImageClassifierArchitecture): ImagePreprocessing {
  const [mean, deviation] = [127 / 255, 128 / 255];
  return {
    ...clipPreprocessing,
    size: image.imageSize,
    toRgb: 'first',
    mean: [mean, mean, mean],
    deviation: [deviation, deviation, deviation],
  };
}
