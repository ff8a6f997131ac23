/** timm's FastViT under `visual.trunk.`, MobileCLIP's S sizes: with the branches of training, or folded into one convolution. */
import type { FastVitArchitecture, FastVitStage } from '../../../models/architecture.ts';
import type { OpenClipConfig } from '../../configuration/open-clip.ts';
import { addBatchNorm, addFusedAttention, addPair, type NameTable } from '../names.ts';
import type { ShapeTable } from '../shape-table.ts';
import { timmFacts, timmNameByWeights } from './timm-names.ts';

const trunk = 'visual.trunk';

/** The side of the pictures that all sizes are published for. */
const usualSide = 256;

/** Width of the heads, which is fixed. */
const headWidth = 32;

export function isTimmFastVit(shapes: ReadonlyMap<string, readonly number[]>): boolean {
  return (
    shapes.has(`${trunk}.stem.0.reparam_conv.weight`) || shapes.has(`${trunk}.stem.0.conv_kxk.0.conv.weight`)
  );
}

/** @throws EidosError `unsupported_checkpoint` where no known name says what the weights do not */
export function timmFastVit(table: ShapeTable, config: OpenClipConfig | undefined): FastVitArchitecture {
  const vision = config?.model.vision_cfg;
  const facts = timmFacts(vision?.timm_model_name ?? timmNameByWeights(table.shapes));
  const stages = Array.from({ length: table.blocks(`${trunk}.stages.`) }, (_, index) =>
    stageOf(table, index),
  );
  const side = Array.isArray(vision?.image_size) ? vision.image_size[0] : vision?.image_size;
  const batchNorm = stages.some(
    ({ mixer }, index) =>
      mixer === 'attention' && table.has(`${trunk}.stages.${index}.blocks.0.norm.running_mean`),
  );
  return {
    kind: 'fastvit',
    imageSize: side ?? usualSide,
    stages,
    stemPoints: table.has(`${trunk}.stem.0.conv_scale.conv.weight`),
    folded: table.has(`${trunk}.stem.0.reparam_conv.weight`),
    attentionHeadWidth: headWidth,
    attentionNorm: batchNorm ? 'batch' : 'layer',
    headWidth: table.axis(`${trunk}.head.fc.weight`, 2, 1),
    headSqueeze: table.axis(`${trunk}.final_conv.se.fc1.weight`, 4, 0),
    normEpsilon: facts.normEpsilon,
    projection: table.has(`${trunk}.head.fc.bias`) ? 'linear_bias' : 'linear',
  };
}

function stageOf(table: ShapeTable, index: number): FastVitStage {
  const stage = `${trunk}.stages.${index}`;
  const [mlpWidth = 0, width = 0] = table.shape(`${stage}.blocks.0.mlp.fc1.weight`, 4);
  const large = [
    `${stage}.downsample.proj.0.reparam_conv.weight`,
    `${stage}.downsample.proj.0.large_conv.conv.weight`,
  ].find((name) => table.has(name));
  const squeeze = `${stage}.downsample.proj.0.se.fc1.weight`;
  const positions = [`${stage}.pos_emb.reparam_conv.weight`, `${stage}.pos_emb.pos_enc.weight`].find((name) =>
    table.has(name),
  );
  return {
    width,
    blocks: table.blocks(`${stage}.blocks.`),
    mixer: table.has(`${stage}.blocks.0.token_mixer.qkv.weight`) ? 'attention' : 'convolution',
    mlpWidth,
    downsample: large !== undefined,
    kernelSize: large === undefined ? 1 : table.axis(large, 4, 2),
    ...(table.has(squeeze) ? { squeeze: table.axis(squeeze, 4, 0) } : {}),
    ...(positions === undefined ? {} : { positions: table.axis(positions, 4, 2) }),
  };
}

export const timmFastVitEmbeddingSize = (table: ShapeTable): number =>
  table.axis(`${trunk}.head.fc.weight`, 2, 0);

export function timmFastVitNames(tower: FastVitArchitecture): NameTable {
  const names: NameTable = new Map();
  const { folded, stages } = tower;
  for (const index of [0, 1, 2]) addBranched(`image.stem.${index}`, `${trunk}.stem.${index}`);
  stages.forEach((stage, index) => {
    const to = `image.stages.${index}`;
    const from = `${trunk}.stages.${index}`;
    if (stage.downsample) {
      const large = `${from}.downsample.proj.0`;
      addPair(names, `${to}.downsample.folded`, `${large}.reparam_conv`);
      addNormed(`${to}.downsample.large`, `${large}.large_conv`);
      addNormed(`${to}.downsample.small`, `${large}.small_conv`);
      addSqueeze(`${to}.downsample.squeeze`, `${large}.se`);
      addBranched(`${to}.downsample.map`, `${from}.downsample.proj.1`);
    }
    addPair(names, `${to}.positions`, `${from}.pos_emb.${folded ? 'reparam_conv' : 'pos_enc'}`);
    for (let block = 0; block < stage.blocks; block++) {
      addBlock(`${to}.${block}`, `${from}.blocks.${block}`, stage.mixer);
    }
  });
  addBranched('image.head', `${trunk}.final_conv`);
  addPair(names, 'image.projection', `${trunk}.head.fc`);
  return names;

  function addNormed(to: string, from: string): void {
    names.set(`${to}.weight`, { from: `${from}.conv.weight` });
    addBatchNorm(names, `${to}.norm`, `${from}.bn`);
  }

  function addSqueeze(to: string, from: string): void {
    addPair(names, `${to}.down`, `${from}.fc1`);
    addPair(names, `${to}.up`, `${from}.fc2`);
  }

  function addBranched(to: string, from: string): void {
    addPair(names, `${to}.folded`, `${from}.reparam_conv`);
    addNormed(`${to}.kernel`, `${from}.conv_kxk.0`);
    addNormed(`${to}.points`, `${from}.conv_scale`);
    addBatchNorm(names, `${to}.identity`, `${from}.identity`);
    addSqueeze(`${to}.squeeze`, `${from}.se`);
  }

  function addBlock(to: string, from: string, mixer: FastVitStage['mixer']): void {
    if (mixer === 'attention') {
      const own = `${from}.token_mixer`;
      addBatchNorm(names, `${to}.norm`, `${from}.norm`);
      addFusedAttention(
        names,
        `${to}.attention`,
        { weight: `${own}.qkv.weight`, bias: `${own}.qkv.bias` },
        `${own}.proj`,
      );
      names.set(`${to}.scale_1`, { from: `${from}.layer_scale_1.gamma` });
      names.set(`${to}.scale_2`, { from: `${from}.layer_scale_2.gamma` });
    } else {
      if (folded) addPair(names, `${to}.mixer`, `${from}.token_mixer.reparam_conv`);
      else addBranched(`${to}.mixer`, `${from}.token_mixer.mixer`);
      addBatchNorm(names, `${to}.mixer_norm`, `${from}.token_mixer.norm.identity`);
      names.set(`${to}.scale_1`, { from: `${from}.token_mixer.layer_scale.gamma` });
      names.set(`${to}.scale_2`, { from: `${from}.layer_scale.gamma` });
    }
    addNormed(`${to}.mlp.look`, `${from}.mlp.conv`);
    addPair(names, `${to}.mlp.up`, `${from}.mlp.fc1`);
    addPair(names, `${to}.mlp.down`, `${from}.mlp.fc2`);
  }
}
