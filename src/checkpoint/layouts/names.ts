/** Rows of name tables that several layouts share: a block of OpenAI's and Hugging Face's Transformers. */
import type { Published } from './layout.ts';

export type NameTable = Map<string, Published>;

/** The canonical layer `to` has its weight and bias under `from`. */
export function addPair(table: NameTable, to: string, from: string): void {
  table.set(`${to}.weight`, { from: `${from}.weight` });
  table.set(`${to}.bias`, { from: `${from}.bias` });
}

/** PyTorch's own `nn.BatchNorm2d` under `from`. */
export function addBatchNorm(table: NameTable, to: string, from: string): void {
  addPair(table, to, from);
  table.set(`${to}.running_mean`, { from: `${from}.running_mean` });
  table.set(`${to}.running_variance`, { from: `${from}.running_var` });
}

/** Query, key and value are the thirds of one matrix, whose weight and bias have these names. */
export function addFusedAttention(
  table: NameTable,
  to: string,
  fused: { weight: string; bias: string },
  output: string,
): void {
  for (const [index, part] of (['query', 'key', 'value'] as const).entries()) {
    table.set(`${to}.${part}.weight`, { from: fused.weight, part: [index, 3] });
    table.set(`${to}.${part}.bias`, { from: fused.bias, part: [index, 3] });
  }
  addPair(table, `${to}.output`, output);
}

/** PyTorch's own `nn.MultiheadAttention` under `from`. */
export function addTorchAttention(table: NameTable, to: string, from: string): void {
  addFusedAttention(
    table,
    to,
    { weight: `${from}.in_proj_weight`, bias: `${from}.in_proj_bias` },
    `${from}.out_proj`,
  );
}

/** A style of naming a Transformer's block. */
export type BlockStyle = (table: NameTable, to: string, from: string) => void;

/** Hugging Face's `encoder.layers.N`. */
export const huggingFaceBlock: BlockStyle = (table, to, from) => {
  addPair(table, `${to}.norm_1`, `${from}.layer_norm1`);
  addPair(table, `${to}.attention.query`, `${from}.self_attn.q_proj`);
  addPair(table, `${to}.attention.key`, `${from}.self_attn.k_proj`);
  addPair(table, `${to}.attention.value`, `${from}.self_attn.v_proj`);
  addPair(table, `${to}.attention.output`, `${from}.self_attn.out_proj`);
  addPair(table, `${to}.norm_2`, `${from}.layer_norm2`);
  addPair(table, `${to}.mlp.up`, `${from}.mlp.fc1`);
  addPair(table, `${to}.mlp.down`, `${from}.mlp.fc2`);
};

/** All blocks of a tower; `from` ends with the dot before the number. */
export function addBlocks(
  table: NameTable,
  tower: string,
  from: string,
  layers: number,
  style: BlockStyle,
): void {
  for (let layer = 0; layer < layers; layer++) style(table, `${tower}.blocks.${layer}`, `${from}${layer}`);
}

/** A text tower of BERT's kind under `prefix`, but for what makes one vector of its tokens. */
export function addBertTower(names: NameTable, prefix: string, layers: number): void {
  const embeddings = `${prefix}embeddings`;
  names.set('text.token_embedding', { from: `${embeddings}.word_embeddings.weight` });
  names.set('text.position_embedding', { from: `${embeddings}.position_embeddings.weight` });
  names.set('text.sentence_kinds', { from: `${embeddings}.token_type_embeddings.weight` });
  addPair(names, 'text.norm_before', `${embeddings}.LayerNorm`);
  for (let layer = 0; layer < layers; layer++) {
    const to = `text.blocks.${layer}`;
    const block = `${prefix}encoder.layer.${layer}`;
    addPair(names, `${to}.attention.query`, `${block}.attention.self.query`);
    addPair(names, `${to}.attention.key`, `${block}.attention.self.key`);
    addPair(names, `${to}.attention.value`, `${block}.attention.self.value`);
    addPair(names, `${to}.attention.output`, `${block}.attention.output.dense`);
    addPair(names, `${to}.norm_1`, `${block}.attention.output.LayerNorm`);
    addPair(names, `${to}.mlp.up`, `${block}.intermediate.dense`);
    addPair(names, `${to}.mlp.down`, `${block}.output.dense`);
    addPair(names, `${to}.norm_2`, `${block}.output.LayerNorm`);
  }
}
