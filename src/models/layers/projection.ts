/** The end of a tower: what makes an embedding of its pooled features. */
import { gelu } from '../../graph/derived.ts';
import { add } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { Projection, ProjectionHead, ProjectionMlp } from '../architecture.ts';
import { linearLayer, normLayer } from './linear.ts';
import type { TowerHooks } from './transformer.ts';

const normEpsilon = 1e-5;

/** Pooled vectors [n, width] → embeddings [n, embeddingSize], by one linear map or none. */
export function project(
  tower: 'image' | 'text',
  projection: Projection,
  pooled: Value,
  embeddingSize: number,
): Value {
  if (projection === 'none') return pooled;
  return linearLayer(`${tower}.projection`, pooled, embeddingSize, { bias: projection === 'linear_bias' });
}

/** The same through two maps and an exact GELU between them, with parameters under `.projection.up` and `.down`. */
export function projectThrough(
  tower: 'image' | 'text',
  { hidden, bias }: ProjectionMlp,
  pooled: Value,
  embeddingSize: number,
): Value {
  const inside = gelu(linearLayer(`${tower}.projection.up`, pooled, hidden, { bias }));
  return linearLayer(`${tower}.projection.down`, inside, embeddingSize, { bias: false });
}

/** Pooled features [n, width] → embeddings [n, embeddingSize]; all parameters begin with `image.projection`. */
export function projectionHead(
  head: ProjectionHead,
  features: Value,
  embeddingSize: number,
  { dropout = (_, value) => value }: TowerHooks = {},
): Value {
  const name = 'image.projection';
  switch (head.kind) {
    case 'linear':
      return dropout(name, linearLayer(name, features, embeddingSize, { bias: false }));
    case 'perceptron': {
      const normed = normLayer(`${name}.norm`, features, normEpsilon);
      const hidden = dropout(`${name}.hidden`, gelu(linearLayer(`${name}.up`, normed, head.hidden)));
      const direct = linearLayer(`${name}.direct`, normed, embeddingSize, { bias: false });
      const bent = linearLayer(`${name}.down`, hidden, embeddingSize, { bias: false });
      return dropout(name, add(direct, bent));
    }
  }
}
