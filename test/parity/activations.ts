/** Which value inside our towers is which activation that the original code stored, and which of its tokens. */
import type { ClipArchitecture } from '../../src/models/architecture.ts';
import { largestDifference, type Numbers } from './check.ts';
import type { Inputs } from './model.ts';

/** Stored name → our name; blocks have the same name in both. Our towers pool before the last norm where they can. */
const ours: Readonly<Record<string, string>> = {
  'image.patch_embedding': 'image.patch_embedding',
  'image.ln_pre': 'image.norm_before',
  'image.embeddings': 'image.norm_before', // where there is no such norm
  'image.pre_layernorm': 'image.norm_before',
  'image.ln_post': 'image.norm_after',
  'image.post_layernorm': 'image.norm_after',
  'image.head': 'image.pool',
  'image.stem': 'image.stem',
  'image.layer1': 'image.stage.0',
  'image.layer2': 'image.stage.1',
  'image.layer3': 'image.stage.2',
  'image.layer4': 'image.stage.3',
  'image.attnpool': 'image.pool',
  'text.embeddings': 'text.embeddings',
  'text.ln_final': 'text.norm_after',
  'text.final_layer_norm': 'text.norm_after',
};

/** Whether our towers hand the value out: not the first convolution before its norm, nor what a norm follows at once. */
export function hasCounterpart(name: string, { image }: ClipArchitecture): boolean {
  if (name === 'image.conv1') return false;
  return name !== 'image.embeddings' || (image.kind === 'vit' && !image.normBefore);
}

/** The largest difference of one stored activation. */
export function activationDifference(
  name: string,
  expected: Numbers,
  watched: ReadonlyMap<string, Numbers>,
  architecture: ClipArchitecture,
  inputs: Inputs & { attentionMask?: Numbers | undefined },
): number {
  const actual = watched.get(/\.block\.\d+$/.test(name) ? name : (ours[name] ?? ''));
  if (actual === undefined) return Number.POSITIVE_INFINITY;
  let wanted = expected;
  if (name === 'image.patch_embedding') wanted = channelsLast(expected);
  else if (actual.data.length < expected.data.length) {
    wanted = tokensOf(expected, (i) => pooledToken(name, i, architecture, inputs));
  }
  const mask = name.startsWith('text.block.') ? inputs.attentionMask : undefined;
  return mask === undefined ? largestDifference(flat(actual), flat(wanted)) : unmasked(actual, wanted, mask);
}

/** Which token becomes the embedding of the i-th row. */
function pooledToken(name: string, i: number, { text }: ClipArchitecture, { tokens }: Inputs): number {
  if (name.startsWith('image.')) return 0;
  const length = tokens.shape[1]!;
  const ids = Array.from(tokens.data).slice(i * length, (i + 1) * length);
  if (text.kind === 'averaging' || text.pool.kind !== 'end') return length - 1;
  return ids.indexOf(text.pool.endToken === 'highest' ? Math.max(...ids) : text.pool.endToken);
}

/** [n, tokens, width] → one token a row, [n, width]. */
function tokensOf({ data, shape }: Numbers, choose: (row: number) => number): Numbers {
  const [n, tokens, width] = shape as [number, number, number];
  const chosen = Array.from({ length: n }, (_, i) => {
    const start = (i * tokens + choose(i)) * width;
    return Array.from(data).slice(start, start + width);
  });
  return { data: chosen.flat(), shape: [n, width] };
}

/** [n, channels, height, width] → [n, height · width, channels]. */
function channelsLast({ data, shape }: Numbers): Numbers {
  const [n, channels, height, width] = shape as [number, number, number, number];
  const places = height * width;
  const turned = Float32Array.from({ length: data.length }, (_, at) => {
    const channel = at % channels;
    const place = Math.floor(at / channels) % places;
    const i = Math.floor(at / channels / places);
    return data[(i * channels + channel) * places + place]!;
  });
  return { data: turned, shape: [n, places, channels] };
}

/** The original masks tokens after the end, ours only ever look back: what stands there is not compared. */
function unmasked(actual: Numbers, expected: Numbers, mask: Numbers): number {
  const width = expected.shape[2]!;
  const keep = ({ data }: Numbers): Numbers => {
    const kept = Array.from(data).filter((_, at) => mask.data[Math.floor(at / width)] === 1);
    return { data: kept, shape: [kept.length] };
  };
  return largestDifference(keep(actual), keep(expected));
}

function flat({ data }: Numbers): Numbers {
  return { data, shape: [data.length] };
}
