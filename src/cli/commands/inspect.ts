/** `eidos inspect`: what a checkpoint is, without running it. */
import { Command } from 'commander';
import type { ImageArchitecture, TextArchitecture } from '../../models/architecture.ts';
import { sidesInWords } from '../../models/sides.ts';
import type { ImageClassifierInspection, Inspection } from '../../tasks/inspect/inspect.ts';
import { acceptModelOptions, localModel } from '../model-options.ts';

interface Options {
  model?: string;
  tensors?: boolean;
  offline?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function inspectCommand(): Command {
  return acceptModelOptions(
    new Command('inspect')
      .description('show what a checkpoint is: architecture, layout, parameters, operations, tensors')
      .argument('[checkpoint]', 'a folder, a weight file or a hub id (default: the bundled model)')
      .option('--tensors', 'list every tensor')
      .option('--offline', 'never use the network')
      .option('--json', 'one JSON object, tensors included')
      .option('--quiet', 'no progress')
      .action(run),
  );
}

async function run(source: string | undefined, options: Options): Promise<void> {
  const { inspectCheckpoint } = await import('../../tasks/inspect/inspect.ts');
  const inspection = await inspectCheckpoint(await localModel(source ?? options.model, options));
  if (options.json) process.stdout.write(`${JSON.stringify(inspection)}\n`);
  else process.stdout.write(describe(inspection, options.tensors ?? false));
}

type Row = [name: string, value: string];

function describe(inspection: Inspection | ImageClassifierInspection, listTensors: boolean): string {
  const { architecture, preprocessing } = inspection;
  const [towers, work] = isOfClip(inspection) ? ofClip(inspection) : ofImageClassifier(inspection);
  const rows: Row[] = [
    ['layout', inspection.layout],
    ['image encoder', describeImage(architecture.image)],
    ...towers,
    [
      'pictures',
      `${sidesInWords(preprocessing.size)} pixels, ${preprocessing.resize}, ${preprocessing.interpolation}`,
    ],
    ...work,
    ['tensors', `${inspection.tensors.length} used, ${inspection.unused.length} unused`],
    ['files', inspection.files.join(', ')],
    ['fingerprint', inspection.fingerprint],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  if (listTensors) {
    lines.push(
      '',
      ...inspection.tensors.map(
        ({ name, stored, type, shape }) => `${name}  ${type} [${shape.join(', ')}]  ${stored}`,
      ),
    );
    lines.push(...inspection.unused.map((name) => `unused: ${name}`));
  } else lines.push('', '--tensors lists them all, --json gives everything.');
  return `${lines.join('\n')}\n`;
}

function isOfClip(inspection: Inspection | ImageClassifierInspection): inspection is Inspection {
  return 'text' in inspection.architecture;
}

/** What comes before the line of the pictures, and what after it. */
function ofClip({ architecture, parameters, operations }: Inspection): [Row[], Row[]] {
  const { total, image, text } = parameters;
  return [
    [
      ['text encoder', describeText(architecture.text)],
      ['embedding', `${architecture.embeddingSize} numbers, compared by ${architecture.probability}`],
    ],
    [
      ['parameters', `${millions(total)} (image ${millions(image)}, text ${millions(text)})`],
      ['operations', `${billions(operations.image)} a picture, ${billions(operations.text)} a sentence`],
    ],
  ];
}

function ofImageClassifier({
  architecture,
  parameters,
  operations,
}: ImageClassifierInspection): [Row[], Row[]] {
  const { total, image, classifier } = parameters;
  return [
    [
      ['text encoder', 'none: an image tower can begin with this net ("initialise.image" of a training)'],
      ['classifier', `${architecture.classes} classes`],
    ],
    [
      ['parameters', `${millions(total)} (image ${millions(image)}, classifier ${millions(classifier)})`],
      ['operations', `${billions(operations.image)} a picture`],
    ],
  ];
}

function describeImage(image: ImageArchitecture): string {
  if (image.kind === 'resnet') {
    return `ModifiedResNet, blocks ${image.layers.join('-')}, width ${image.width}, ${image.imageSize} pixels, attention pooling with ${image.heads} heads`;
  }
  if (image.kind === 'basic_resnet') {
    return `residual net of basic blocks, ${image.blocks.join('-')} of widths ${image.widths.join('-')}, patches of ${image.patchSize} on ${image.imageSize} pixels`;
  }
  if (image.kind === 'convnext') {
    return `ConvNeXt, blocks ${image.blocks.join('-')} of widths ${image.widths.join('-')}, kernels of ${image.kernelSize}, patches of ${image.patchSize} on ${image.imageSize} pixels, ${image.activation}`;
  }
  if (image.kind === 'efficientnet') {
    const { stages, headWidth, imageSize, projection } = image;
    const kernels = [...new Set(stages.map(({ kernelSize }) => kernelSize))].sort().join(' and ');
    const head = projection.kind === 'linear' ? '' : `, a ${projection.kind} of ${projection.hidden}`;
    return `EfficientNet, blocks ${stages.map(({ blocks }) => blocks).join('-')} of widths ${stages.map(({ width }) => width).join('-')}, kernels of ${kernels}, ${headWidth} features on ${imageSize} pixels, ${image.activation}, pooled by ${image.pool.replace('_', ' and ')}${head}`;
  }
  if (image.kind === 'fastvit') {
    const { stages, imageSize, folded } = image;
    const attention = stages.filter(({ mixer }) => mixer === 'attention').length;
    return `FastViT, blocks ${stages.map(({ blocks }) => blocks).join('-')} of widths ${stages.map(({ width }) => width).join('-')}, the last ${attention} with attention, on ${imageSize} pixels, branches ${folded ? 'folded' : 'apart'}`;
  }
  return `Vision Transformer, ${image.layers} layers, width ${image.width}, ${image.heads} heads, patches of ${sidesInWords(image.patchSize)} on ${sidesInWords(image.imageSize)} pixels, ${image.activation}, pooled by ${image.pool.kind}`;
}

function describeText(text: TextArchitecture): string {
  if (text.kind === 'averaging') {
    const ngrams = text.ngrams.map(({ size, width }) => `${size} (width ${width})`);
    const and = ngrams.length === 0 ? '' : ` and n-grams of ${ngrams.join(', ')}`;
    return `averages of pieces (width ${text.width})${and}, ${text.layers} layers, width ${text.hidden}, ${text.contextLength} of ${text.vocabularySize} tokens, ${text.activation}`;
  }
  const sight = text.causal ? 'causal' : 'both ways';
  return `Transformer, ${text.layers} layers, width ${text.width}, ${text.heads} heads, ${text.contextLength} of ${text.vocabularySize} tokens, ${text.activation}, ${sight}, pooled by ${text.pool.kind}`;
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(2)} M`;
}

function billions(count: number): string {
  return `${(count / 1e9).toFixed(2)} GFLOP`;
}
