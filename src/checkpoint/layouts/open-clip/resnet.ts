/** CLIP's ModifiedResNet under OpenAI's names. */
import { EidosError } from '../../../errors.ts';
import type { ResNetArchitecture } from '../../../models/architecture.ts';
import type { OpenClipConfig, OpenClipVision } from '../../configuration/open-clip.ts';
import { addBatchNorm, addPair, type NameTable } from '../names.ts';
import { agree, gridSide, headsDividing, type ShapeTable } from '../shape-table.ts';

export function isOpenAiResNet(table: ShapeTable): boolean {
  return table.has('visual.layer1.0.conv1.weight') && table.has('visual.attnpool.positional_embedding');
}

export function openAiResNet(table: ShapeTable, config: OpenClipConfig | undefined): ResNetArchitecture {
  const vision: Partial<OpenClipVision> = config?.model.vision_cfg ?? {};
  const width = table.axis('visual.conv3.weight', 4, 0);
  const layers = [1, 2, 3, 4].map((stage) => table.blocks(`visual.layer${stage}.`));
  const [positions = 0, pooled = 0] = table.shape('visual.attnpool.positional_embedding', 2);
  const imageSize = gridSide(positions - 1, 'visual.attnpool.positional_embedding') * 32;
  if (width % 2 !== 0 || pooled !== width * 32) {
    throw new EidosError(
      'unsupported_checkpoint',
      `'visual.conv3.weight' has ${width} channels and 'visual.attnpool.positional_embedding' ${pooled}, which is no ResNet of OpenAI's form (an even number, and 32 times that).`,
    );
  }
  agree(table, 'vision_cfg.width', vision.width, width, 'visual.conv3.weight');
  const configured = vision.layers;
  for (const [stage, blocks] of layers.entries()) {
    const count = Array.isArray(configured) ? configured[stage] : configured;
    agree(
      table,
      `vision_cfg.layers[${stage}]`,
      count,
      blocks,
      `visual.layer${stage + 1}.${blocks - 1}.conv1.weight`,
    );
  }
  const size = Array.isArray(vision.image_size) ? vision.image_size[0] : vision.image_size;
  agree(table, 'vision_cfg.image_size', size, imageSize, 'visual.attnpool.positional_embedding');
  const heads = Math.floor(pooled / (vision.head_width ?? 64));
  return {
    kind: 'resnet',
    imageSize,
    width,
    layers: layers as ResNetArchitecture['layers'],
    heads: headsDividing(pooled, heads, 'vision_cfg.head_width'),
  };
}

export function openAiResNetNames(resnet: ResNetArchitecture): NameTable {
  const names: NameTable = new Map();
  for (const index of [1, 2, 3]) {
    names.set(`image.stem.conv_${index}.weight`, { from: `visual.conv${index}.weight` });
    addBatchNorm(names, `image.stem.norm_${index}`, `visual.bn${index}`);
  }
  for (const [stage, blocks] of resnet.layers.entries()) {
    for (let block = 0; block < blocks; block++) {
      const to = `image.stages.${stage}.${block}`;
      const from = `visual.layer${stage + 1}.${block}`;
      for (const index of [1, 2, 3]) {
        names.set(`${to}.conv_${index}.weight`, { from: `${from}.conv${index}.weight` });
        addBatchNorm(names, `${to}.norm_${index}`, `${from}.bn${index}`);
      }
      if (block > 0) continue;
      names.set(`${to}.downsample.conv.weight`, { from: `${from}.downsample.0.weight` });
      addBatchNorm(names, `${to}.downsample.norm`, `${from}.downsample.1`);
    }
  }
  names.set('image.pool.position_embedding', { from: 'visual.attnpool.positional_embedding' });
  for (const [part, published] of [
    ['query', 'q_proj'],
    ['key', 'k_proj'],
    ['value', 'v_proj'],
    ['output', 'c_proj'],
  ] as const) {
    addPair(names, `image.pool.attention.${part}`, `visual.attnpool.${published}`);
  }
  return names;
}
