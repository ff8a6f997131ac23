/** Text towers of Hugging Face in open_clip: RoBERTa and XLM-RoBERTa, mT5's encoder and NLLB's, each with any pooler. */
import { EidosError } from '../../../errors.ts';
import type { TextPool, TransformerTextArchitecture } from '../../../models/architecture.ts';
import type { OpenClipConfig, OpenClipText } from '../../configuration/open-clip.ts';
import { addBertTower, addPair, type NameTable } from '../names.ts';
import { agree, headsDividing, type ShapeTable } from '../shape-table.ts';

const transformer = 'text.transformer';

/** open_clip's own length of texts where a configuration gives none. */
const usualContext = 77;

type Tower = Omit<TransformerTextArchitecture, 'pool' | 'projection' | 'projectionMlp' | 'contextLength'>;

/** What one of Hugging Face's encoders is, and where its parameters lie. */
interface Encoder {
  /** A tensor that only this one has. */
  sign: string;
  /** Whether its own pooling layer serves `cls_pooler`. */
  poolingLayer: boolean;
  read(table: ShapeTable, config: Partial<OpenClipText>): Tower;
  addNames(names: NameTable, text: TransformerTextArchitecture): void;
}

const roberta: Encoder = {
  sign: `${transformer}.embeddings.word_embeddings.weight`,
  poolingLayer: true,
  read(table, config) {
    const embeddings = `${transformer}.embeddings`;
    const [vocabularySize = 0, width = 0] = table.shape(`${embeddings}.word_embeddings.weight`, 2);
    const blocks = `${transformer}.encoder.layer.`;
    return {
      width,
      layers: table.blocks(blocks),
      heads: encoderHeads(width, config.hf_model_config?.num_attention_heads),
      mlpWidth: table.axis(`${blocks}0.intermediate.dense.weight`, 2, 0),
      activation: 'gelu',
      normEpsilon: 1e-5,
      normPlace: 'sum',
      vocabularySize,
      causal: false,
      positions: 'counted',
      positionRows: table.axis(`${embeddings}.position_embeddings.weight`, 2, 0),
      padToken: 1,
      sentenceKinds: table.axis(`${embeddings}.token_type_embeddings.weight`, 2, 0),
      normBefore: true,
      normAfter: false,
    };
  },
  addNames(names, { layers }) {
    addBertTower(names, `${transformer}.`, layers);
    addPair(names, 'text.pool.dense', `${transformer}.pooler.dense`);
  },
};

const mt5: Encoder = {
  sign: `${transformer}.block.0.layer.0.SelfAttention.q.weight`,
  poolingLayer: false,
  read(table) {
    const [vocabularySize = 0, width = 0] = table.shape(`${transformer}.embed_tokens.weight`, 2);
    const blocks = `${transformer}.block.`;
    const [attentionWidth = 0] = table.shape(`${blocks}0.layer.0.SelfAttention.q.weight`, 2);
    const distances = `${blocks}0.layer.0.SelfAttention.relative_attention_bias.weight`;
    return {
      width,
      layers: table.blocks(blocks),
      heads: headsDividing(attentionWidth, table.axis(distances, 2, 1), distances),
      mlpWidth: table.axis(`${blocks}0.layer.1.DenseReluDense.wo.weight`, 2, 1),
      activation: 'gelu_tanh',
      normEpsilon: 1e-6,
      normKind: 'rms',
      attentionWidth,
      scores: 'unscaled',
      attentionBiases: 'none',
      mlpBiases: false,
      gated: true,
      vocabularySize,
      causal: false,
      positions: 'buckets',
      padToken: 0,
    };
  },
  addNames(names, { layers }) {
    names.set('text.token_embedding', { from: `${transformer}.embed_tokens.weight` });
    names.set('text.distances', {
      from: `${transformer}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`,
    });
    for (let layer = 0; layer < layers; layer++) {
      const to = `text.blocks.${layer}`;
      const from = `${transformer}.block.${layer}.layer`;
      const weight = (canonical: string, published: string) =>
        names.set(`${to}.${canonical}.weight`, { from: `${from}.${published}.weight` });
      weight('norm_1', '0.layer_norm');
      weight('attention.query', '0.SelfAttention.q');
      weight('attention.key', '0.SelfAttention.k');
      weight('attention.value', '0.SelfAttention.v');
      weight('attention.output', '0.SelfAttention.o');
      weight('norm_2', '1.layer_norm');
      weight('mlp.gate', '1.DenseReluDense.wi_0');
      weight('mlp.up', '1.DenseReluDense.wi_1');
      weight('mlp.down', '1.DenseReluDense.wo');
    }
    names.set('text.norm_after.weight', { from: `${transformer}.final_layer_norm.weight` });
  },
};

const nllb: Encoder = {
  sign: `${transformer}.layers.0.self_attn_layer_norm.weight`,
  poolingLayer: false,
  read(table, config) {
    const [vocabularySize = 0, width = 0] = table.shape(`${transformer}.embed_tokens.weight`, 2);
    const blocks = `${transformer}.layers.`;
    return {
      width,
      layers: table.blocks(blocks),
      heads: encoderHeads(width, config.hf_model_config?.encoder_attention_heads),
      mlpWidth: table.axis(`${blocks}0.fc1.weight`, 2, 0),
      activation: 'relu',
      normEpsilon: 1e-5,
      vocabularySize,
      causal: false,
      positions: 'counted_sinusoidal',
      padToken: 1,
      embeddingScale: true,
    };
  },
  addNames(names, { layers }) {
    names.set('text.token_embedding', { from: `${transformer}.embed_tokens.weight` });
    for (let layer = 0; layer < layers; layer++) {
      const to = `text.blocks.${layer}`;
      const from = `${transformer}.layers.${layer}`;
      addPair(names, `${to}.norm_1`, `${from}.self_attn_layer_norm`);
      addPair(names, `${to}.attention.query`, `${from}.self_attn.q_proj`);
      addPair(names, `${to}.attention.key`, `${from}.self_attn.k_proj`);
      addPair(names, `${to}.attention.value`, `${from}.self_attn.v_proj`);
      addPair(names, `${to}.attention.output`, `${from}.self_attn.out_proj`);
      addPair(names, `${to}.norm_2`, `${from}.final_layer_norm`);
      addPair(names, `${to}.mlp.up`, `${from}.fc1`);
      addPair(names, `${to}.mlp.down`, `${from}.fc2`);
    }
    addPair(names, 'text.norm_after', `${transformer}.layer_norm`);
  },
};

const encoders: readonly Encoder[] = [roberta, mt5, nllb];

export function isHuggingFaceText(shapes: ReadonlyMap<string, unknown>): boolean {
  return encoders.some(({ sign }) => shapes.has(sign));
}

/** @throws EidosError `unsupported_checkpoint` where nothing says how the tokens become one vector */
export function huggingFaceText(
  table: ShapeTable,
  config: OpenClipConfig | undefined,
): TransformerTextArchitecture {
  if (config === undefined) {
    throw new EidosError(
      'unsupported_checkpoint',
      'The text tower is one of Hugging Face’s, whose heads and pooling no weight tells: the open_clip_config.json that names them is missing beside the weights.',
    );
  }
  const text = config.model.text_cfg;
  const encoder = encoderOf(table);
  const tower = encoder.read(table, text);
  const mlp = 'text.proj.0.weight';
  const kind = text.hf_proj_type === undefined ? 'mlp' : (text.hf_proj_type ?? 'none');
  const found = table.has(mlp) ? 'mlp' : table.has('text.proj.weight') ? 'linear' : 'none';
  agree(table, 'text_cfg.hf_proj_type', kind === '' ? 'none' : kind, found, mlp);
  const rows = tower.positionRows;
  return {
    ...tower,
    contextLength: Math.min(
      text.context_length ?? usualContext,
      rows === undefined ? Number.POSITIVE_INFINITY : rows - (tower.padToken ?? 0) - 1,
    ),
    pool: pooler(text.hf_pooler_type ?? 'mean_pooler', table, encoder),
    projection: found === 'none' ? 'none' : 'linear',
    ...(found === 'mlp' ? { projectionMlp: { hidden: table.axis(mlp, 2, 0), bias: false } } : {}),
  };
}

export function huggingFaceTextNames(text: TransformerTextArchitecture, table: ShapeTable): NameTable {
  const names: NameTable = new Map();
  encoderOf(table).addNames(names, text);
  if (text.projectionMlp !== undefined) {
    names.set('text.projection.up.weight', { from: 'text.proj.0.weight' });
    names.set('text.projection.down.weight', { from: 'text.proj.2.weight' });
  } else if (text.projection === 'linear') {
    names.set('text.projection.weight', { from: 'text.proj.weight' });
  }
  return names;
}

/** Tensors that the embedding does not need: LAION's files have the places' numbers, and a pooling layer that nobody asks. */
export function huggingFaceTextIgnores(name: string): boolean {
  return (
    name === `${transformer}.embeddings.position_ids` ||
    name === `${transformer}.embed_positions.weights` ||
    name.startsWith(`${transformer}.pooler.`)
  );
}

function encoderOf(table: ShapeTable): Encoder {
  return encoders.find(({ sign }) => table.has(sign)) ?? roberta;
}

function pooler(kind: string, table: ShapeTable, { poolingLayer }: Encoder): TextPool {
  switch (kind) {
    case 'mean_pooler':
      return { kind: 'mean' };
    case 'max_pooler':
      return { kind: 'max' };
    case 'cls_last_hidden_state_pooler':
      return { kind: 'first' };
    case 'cls_pooler':
      if (!poolingLayer) return { kind: 'first' };
      return {
        kind: 'first',
        dense: { width: table.axis(`${transformer}.pooler.dense.weight`, 2, 0), curve: 'tanh' },
      };
  }
  throw new EidosError(
    'unsupported_checkpoint',
    `The configuration has text_cfg.hf_pooler_type = ${kind}; eidos has mean_pooler, max_pooler, cls_pooler and cls_last_hidden_state_pooler.`,
  );
}

/** Every published one has heads of 64 numbers. */
function encoderHeads(width: number, configured: number | undefined): number {
  return headsDividing(width, configured ?? Math.max(1, Math.floor(width / 64)), 'text_cfg.hf_model_config');
}
