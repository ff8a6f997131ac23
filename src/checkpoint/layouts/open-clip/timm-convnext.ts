/** timm's ConvNeXt under `visual.trunk.`, with open_clip's projection of one map or two. */
import type { ConvNextArchitecture } from '../../../models/architecture.ts';
import type { OpenClipConfig } from '../../configuration/open-clip.ts';
import { addPair, type NameTable } from '../names.ts';
import { agree, type ShapeTable } from '../shape-table.ts';
import { timmFacts } from './timm-names.ts';

const trunk = 'visual.trunk';

/** The side of the pictures that all but the largest are published for. */
const usualSide = 256;

export function isTimmConvNext(shapes: ReadonlyMap<string, readonly number[]>): boolean {
  return shapes.has(`${trunk}.stages.0.blocks.0.conv_dw.weight`) && shapes.has(`${trunk}.stem.0.weight`);
}

/** @throws EidosError `unsupported_checkpoint` where no known name says what the weights do not */
export function timmConvNext(table: ShapeTable, config: OpenClipConfig | undefined): ConvNextArchitecture {
  const vision = config?.model.vision_cfg;
  const facts = timmFacts(vision?.timm_model_name);
  const stages = Array.from({ length: table.blocks(`${trunk}.stages.`) }, (_, index) => index);
  const first = (stage: number) => `${trunk}.stages.${stage}.blocks.0.conv_dw.weight`;
  const mlp = 'visual.head.mlp.fc1.weight';
  agree(
    table,
    'vision_cfg.timm_proj',
    vision?.timm_proj,
    table.has(mlp) ? 'mlp' : 'linear',
    table.has(mlp) ? mlp : 'visual.head.proj.weight',
  );
  const side = Array.isArray(vision?.image_size) ? vision.image_size[0] : vision?.image_size;
  return {
    kind: 'convnext',
    imageSize: side ?? usualSide,
    patchSize: table.axis(`${trunk}.stem.0.weight`, 4, 2),
    patchNumbers: 'channels',
    widths: stages.map((stage) => table.axis(first(stage), 4, 0)),
    blocks: stages.map((stage) => table.blocks(`${trunk}.stages.${stage}.blocks.`)),
    kernelSize: table.axis(first(0), 4, 2),
    activation: facts.activation,
    normEpsilon: facts.normEpsilon,
    ...(table.has(mlp) ? { projectionMlp: { hidden: table.axis(mlp, 2, 0), bias: true } } : {}),
  };
}

export function timmConvNextEmbeddingSize(table: ShapeTable): number {
  const two = 'visual.head.mlp.fc2.weight';
  return table.axis(table.has(two) ? two : 'visual.head.proj.weight', 2, 0);
}

export function timmConvNextNames(tower: ConvNextArchitecture): NameTable {
  const names: NameTable = new Map();
  const { widths, blocks, patchSize, projectionMlp } = tower;
  names.set('image.stem.weight', {
    from: `${trunk}.stem.0.weight`,
    stored: [widths[0]!, 3, patchSize, patchSize],
  });
  names.set('image.stem.bias', { from: `${trunk}.stem.0.bias` });
  addPair(names, 'image.stem.norm', `${trunk}.stem.1`);
  widths.forEach((width, stage) => {
    const to = `image.stages.${stage}`;
    const from = `${trunk}.stages.${stage}`;
    if (stage > 0) {
      addPair(names, `${to}.downsample.norm`, `${from}.downsample.0`);
      names.set(`${to}.downsample.weight`, {
        from: `${from}.downsample.1.weight`,
        stored: [width, widths[stage - 1]!, 2, 2],
      });
      names.set(`${to}.downsample.bias`, { from: `${from}.downsample.1.bias` });
    }
    for (let block = 0; block < blocks[stage]!; block++) {
      const own = `${to}.${block}`;
      const published = `${from}.blocks.${block}`;
      addPair(names, `${own}.depthwise`, `${published}.conv_dw`);
      addPair(names, `${own}.norm`, `${published}.norm`);
      addPair(names, `${own}.mlp.up`, `${published}.mlp.fc1`);
      addPair(names, `${own}.mlp.down`, `${published}.mlp.fc2`);
      names.set(`${own}.scale`, { from: `${published}.gamma` });
    }
  });
  addPair(names, 'image.norm_after', `${trunk}.head.norm`);
  if (projectionMlp === undefined) {
    names.set('image.projection.weight', { from: 'visual.head.proj.weight' });
  } else {
    addPair(names, 'image.projection.up', 'visual.head.mlp.fc1');
    names.set('image.projection.down.weight', { from: 'visual.head.mlp.fc2.weight' });
  }
  return names;
}
