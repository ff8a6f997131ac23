/** All claims of parity, in the order and under the headings of docs/parity.md. */
import type { ParityCheck } from './check.ts';
import { batchNormChecks } from './checks/batch-norm.ts';
import { cocaChecks } from './checks/coca.ts';
import { efficientNetChecks } from './checks/efficientnet.ts';
import { familyChecks } from './checks/families.ts';
import { layoutChecks } from './checks/layouts.ts';
import { lossChecks } from './checks/losses.ts';
import { preprocessingChecks } from './checks/preprocessing.ts';
import { tokenizerChecks } from './checks/tokenizers.ts';
import { towerChecks } from './checks/towers.ts';
import { trainingChecks } from './checks/training.ts';
import { zeroShotChecks } from './checks/zero-shot.ts';

interface Chapter {
  title: string;
  /** What the rows below it mean. */
  about: string;
  checks: readonly ParityCheck[];
}

export const chapters: readonly Chapter[] = [
  {
    title: 'Towers',
    about:
      'Embeddings come from the encoders that users get, compiled for a batch of any size. Logits, loss, activations and gradients come from the program that training runs; gradients are carried back to the published names, fused and turned matrices included, and compared with the whole file.',
    checks: towerChecks,
  },
  {
    title: 'Batch norm in training mode',
    about:
      'One batch with its own statistics: what comes out, what goes back, and the running statistics after it (momentum 0.1, unbiased variance).',
    checks: batchNormChecks,
  },
  {
    title: 'CoCa',
    about: 'The two contrastive towers, from the checkpoint that holds a captioning decoder as well.',
    checks: cocaChecks,
  },
  {
    title: 'EfficientNet-Lite',
    about:
      'A net of Lite0’s stages at an eighth of its widths, read in the layout of its package (efficientnet_lite_pytorch 0.1.0, PyTorch 2.15.0, Python 3.11). Of large arrays the norm and one product are compared, relative to the larger of them. The published weights were compared once with the same code, logits of random pixels at the sizes they were trained on: Lite0 differs by 6.4e-6 at most, Lite2 by 6.2e-6.',
    checks: efficientNetChecks,
  },
  {
    title: 'Families',
    about:
      'Small models of every family that open_clip publishes, in the form in which it publishes them. Of each gradient its length and one product are compared, relative to its length.',
    checks: familyChecks,
  },
  { title: 'Losses', about: 'Of given features, scale and bias, with their gradients.', checks: lossChecks },
  {
    title: 'Training',
    about:
      'The engine’s own training step (forward, backward, clipping, AdamW in one program) against the original loop.',
    checks: trainingChecks,
  },
  {
    title: 'Zero-shot head',
    about:
      'The mean of a class’s normalised prompt embeddings, normalised again, is its column of the class matrix.',
    checks: zeroShotChecks,
  },
  {
    title: 'Layouts of published models',
    about:
      'From names and shapes alone. “Architecture” counts the fields in which that differs from what the published configuration says.',
    checks: layoutChecks,
  },
  { title: 'Tokenizers', about: 'Cases that are not equal, number for number.', checks: tokenizerChecks },
  {
    title: 'Pictures',
    about:
      'Bytes after resizing and cropping, before normalisation, in the exact way of resizing; EXIF orientation is off, as in the original code. JPEG decoders may differ, so there the mean of each picture counts.',
    checks: preprocessingChecks,
  },
];

export const parityChecks: readonly ParityCheck[] = chapters.flatMap(({ checks }) => checks);

/** What the fixtures hold and no row compares, and why. */
export const notCompared: readonly { where: string; why: string }[] = [
  {
    where: 'Final norms of tokens that pooling leaves out (`image.ln_post`, `text.ln_final` and their like)',
    why: 'eidos normalises only the token that becomes the embedding; that one is compared.',
  },
  {
    where: '`open_clip-rn`: `image.conv1`; `clip-hf`: `image.embeddings`',
    why: 'The towers do not hand these out; the values that follow from them at once are compared.',
  },
  {
    where: '`clip-hf`: text blocks behind the end token; `coca`: text blocks at the padding',
    why: 'The original masks the padding for every token there; nothing that becomes an embedding looks at it.',
  },
  {
    where: '`num_batches_tracked` of batch norms',
    why: 'A counter that nothing reads at a fixed momentum.',
  },
  {
    where:
      '`coca`: decoder, `image_tokens`, `text_tokens`, caption logits and loss, gradients of the joint loss, sequences',
    why: 'eidos has no captioning decoder yet.',
  },
  {
    where: '`training-accumulation`',
    why: 'eidos does not train a batch in cached parts yet; its first run is that of `training`.',
  },
  {
    where: '`preprocess-more`: results of Hugging Face on `row.png`, `pixel.png` and `tiny.png`',
    why: 'The original takes the height for the channels there.',
  },
  {
    where: '`tokenizer-ftfy`, `tokenizer-hf`: the slow tokenizer without ftfy',
    why: 'A third behaviour of the same files, which differs from the fast one as that with ftfy does.',
  },
  {
    where: '`metrics`, `metrics-more`, `explanations`, `diffusion`',
    why: 'For parts of eidos that are still to come.',
  },
];
