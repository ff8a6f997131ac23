/** What each operator means, as plain loops in double precision: the truth that programs are compared with. */
import { isSymbolic, type Shape } from '../../src/graph/dimension.ts';
import type { OperatorName } from '../../src/graph/operators.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import { type NodeOf, nodesOf, type Value } from '../../src/graph/value.ts';

/** Numbers of any element type as doubles; true is 1. */
export interface Doubles {
  shape: readonly number[];
  data: Float64Array;
}

/** Computes values from the numbers of inputs and parameters, by name. */
export function evaluate(results: readonly Value[], feeds: Readonly<Record<string, Doubles>>): Doubles[] {
  const computed = new Map<Value, Doubles>();
  const sizes = new Map<string, number>();
  for (const node of nodesOf(results)) {
    const rule = references[node.operator] as Reference<OperatorName>;
    const inputs = node.inputs.map((value) => computed.get(value)!);
    const outputs = rule(node, inputs, { feeds, sizes });
    node.outputs.forEach((value, i) => {
      computed.set(value, outputs[i]!);
    });
  }
  return results.map((value) => computed.get(value)!);
}

interface Context {
  feeds: Readonly<Record<string, Doubles>>;
  /** Sizes of the symbols, learned from what is fed. */
  sizes: Map<string, number>;
}

type Reference<K extends OperatorName> = (
  node: NodeOf<K>,
  inputs: readonly Doubles[],
  context: Context,
) => Doubles[];

/** One row an operator. */
const references: { readonly [K in OperatorName]: Reference<K> } = {
  input: ({ attributes: { name, shape } }, _, { feeds, sizes }) => {
    const fed = feeds[name]!;
    shape.forEach((dimension, axis) => {
      if (isSymbolic(dimension)) sizes.set(dimension.symbol, fed.shape[axis]! / dimension.factor);
    });
    return [fed];
  },
  parameter: ({ attributes: { name } }, _, { feeds }) => [feeds[name]!],
  constant: ({ attributes: { data, shape } }) => [{ shape, data: Float64Array.from(data, Number) }],

  negate: elementwise((x) => -x!),
  exp: elementwise((x) => Math.exp(x!)),
  log: elementwise((x) => Math.log(x!)),
  sqrt: elementwise((x) => Math.sqrt(x!)),
  reciprocal: elementwise((x) => 1 / x!),
  tanh: elementwise((x) => Math.tanh(x!)),
  sigmoid: elementwise((x) => 1 / (1 + Math.exp(-x!))),
  erf: elementwise((x) => errorFunction(x!)),
  abs: elementwise((x) => Math.abs(x!)),
  relu: elementwise((x) => Math.max(x!, 0)),
  clamp: (node, inputs) => {
    const { lowest, highest } = node.attributes;
    return elementwise((x) => Math.min(Math.max(x!, lowest), highest))(node, inputs);
  },
  silu: (node, inputs) => {
    const gate = elementwise((x) => 1 / (1 + Math.exp(-x!)))(node, inputs);
    return [...elementwise((x, share) => x! * share!)(node, [...inputs, ...gate]), ...gate];
  },
  softplus: elementwise((x) => Math.log1p(Math.exp(x!))),
  cast: (node, inputs) => {
    const convert = { float32: (x: number) => x, int64: Math.trunc, bool: (x: number) => (x === 0 ? 0 : 1) };
    return elementwise((x) => convert[node.attributes.to](x!))(node, inputs);
  },
  add: elementwise((a, b) => a! + b!),
  subtract: elementwise((a, b) => a! - b!),
  multiply: elementwise((a, b) => a! * b!),
  divide: elementwise((a, b) => a! / b!),
  maximum: elementwise((a, b) => Math.max(a!, b!)),
  minimum: elementwise((a, b) => Math.min(a!, b!)),
  equal: elementwise((a, b) => Number(a === b)),
  greater: elementwise((a, b) => Number(a! > b!)),
  where: elementwise((condition, then, otherwise) => (condition !== 0 ? then! : otherwise!)),

  reduceSum: ({ attributes }, [x]) => [reduce(x!, attributes, (values) => sum(values))],
  reduceMean: ({ attributes }, [x]) => [reduce(x!, attributes, mean)],
  reduceMax: ({ attributes }, [x]) => [reduce(x!, attributes, (values) => Math.max(...values))],
  argMax: ({ attributes: { axis } }, [x]) => [
    reduce(x!, { axes: [axis], keep: false }, (values) => values.indexOf(Math.max(...values))),
  ],
  softmax: ({ attributes: { axis } }, [x]) => [
    alongAxis(x!, axis, (values) => {
      const total = sum(values.map(Math.exp));
      return values.map((value) => Math.exp(value) / total);
    }),
  ],
  logSoftmax: ({ attributes: { axis } }, [x]) => [
    alongAxis(x!, axis, (values) => {
      const total = sum(values.map(Math.exp));
      return values.map((value) => value - Math.log(total));
    }),
  ],

  reshape: ({ attributes: { shape } }, [x], { sizes }) => [{ shape: known(shape, sizes), data: x!.data }],
  transpose: ({ attributes: { permutation } }, [x]) => [
    fill(
      permutation.map((axis) => x!.shape[axis]!),
      (index) => {
        const source: number[] = [];
        permutation.forEach((axis, i) => {
          source[axis] = index[i]!;
        });
        return read(x!, source);
      },
    ),
  ],
  concat: ({ attributes: { axis } }, parts) => {
    const owners = parts.flatMap((part, owner) =>
      Array.from({ length: part.shape[axis]! }, (_, place) => ({ owner, place })),
    );
    return [
      fill(replaced(parts[0]!.shape, axis, owners.length), (index) => {
        const { owner, place } = owners[index[axis]!]!;
        return read(parts[owner]!, replaced(index, axis, place));
      }),
    ];
  },
  slice: ({ attributes: { axis, start, end, step } }, [x]) => {
    const places: number[] = [];
    for (let at = start; step > 0 ? at < end : at > end; at += step) places.push(at);
    return [
      fill(replaced(x!.shape, axis, places.length), (index) =>
        read(x!, replaced(index, axis, places[index[axis]!]!)),
      ),
    ];
  },
  pad: ({ attributes: { before, after } }, [x]) => [
    fill(
      x!.shape.map((length, axis) => before[axis]! + length + after[axis]!),
      (index) =>
        readOrZero(
          x!,
          index.map((place, axis) => place - before[axis]!),
        ),
    ),
  ],
  fitLength: ({ attributes: { axis, length } }, [x]) => [
    fill(
      x!.shape.map((given, i) => (i === axis ? length : given)),
      (index) => readOrZero(x!, index),
    ),
  ],
  broadcastLike: (_, [x, reference]) => [fill(reference!.shape, (index) => readStretched(x!, index))],
  gather: ({ attributes: { axis } }, [table, indices]) => {
    const depth = indices!.shape.length;
    const shape = [...table!.shape.slice(0, axis), ...indices!.shape, ...table!.shape.slice(axis + 1)];
    return [
      fill(shape, (index) => {
        const row = read(indices!, index.slice(axis, axis + depth));
        return read(table!, [...index.slice(0, axis), row, ...index.slice(axis + depth)]);
      }),
    ];
  },
  scatterAdd: ({ attributes: { rows } }, [indices, updates]) => {
    const depth = indices!.shape.length;
    const result = fill([rows, ...updates!.shape.slice(depth)], () => 0);
    visit(updates!.shape, (index) => {
      const row = read(indices!, index.slice(0, depth));
      const place = offset(result, [row, ...index.slice(depth)]);
      result.data[place] = result.data[place]! + read(updates!, index);
    });
    return [result];
  },
  selectTokens: (_, [tokens, index]) => [
    fill([tokens!.shape[0]!, tokens!.shape[2]!], ([n, column]) =>
      read(tokens!, [n!, index!.data[n!]!, column!]),
    ),
  ],

  matmul: (_, [a, b]) => {
    const inner = a!.shape[a!.shape.length - 1]!;
    const lead = stretched([a!.shape.slice(0, -2), b!.shape.slice(0, -2)]);
    return [
      fill([...lead, a!.shape[a!.shape.length - 2]!, b!.shape[b!.shape.length - 1]!], (index) => {
        const batch = index.slice(0, -2);
        const [row, column] = index.slice(-2);
        return sum(
          range(inner).map(
            (k) => readStretched(a!, [...batch, row!, k]) * readStretched(b!, [...batch, k, column!]),
          ),
        );
      }),
    ];
  },
  gemm: ({ attributes: { transposeA, transposeB, scale, biasScale } }, [a, b, bias]) => {
    const [rows, inner] = transposeA ? [a!.shape[1]!, a!.shape[0]!] : [a!.shape[0]!, a!.shape[1]!];
    const columns = b!.shape[transposeB ? 0 : 1]!;
    return [
      fill([rows, columns], ([row, column]) => {
        const terms = range(inner).map((k) => {
          const left = read(a!, transposeA ? [k, row!] : [row!, k]);
          return left * read(b!, transposeB ? [column!, k] : [k, column!]);
        });
        const added = bias === undefined ? 0 : readStretched(bias, [row!, column!]);
        return scale * sum(terms) + biasScale * added;
      }),
    ];
  },

  conv: ({ attributes, outputs }, [x, kernel, bias]) => {
    const { strides, padding, dilations, groups } = attributes;
    const [out, inPerGroup, kernelHeight, kernelWidth] = kernel!.shape as [number, number, number, number];
    const [rows, columns] = outputs[0]!.shape.slice(2) as [number, number];
    return [
      fill([x!.shape[0]!, out, rows, columns], ([n, o, row, column]) => {
        let total = bias === undefined ? 0 : bias.data[o!]!;
        const group = Math.floor(o! / (out / groups));
        visit([inPerGroup, kernelHeight, kernelWidth], ([i, a, b]) => {
          const top = row! * strides[0] + a! * dilations[0] - padding[0];
          const left = column! * strides[1] + b! * dilations[1] - padding[1];
          total += readOrZero(x!, [n!, group * inPerGroup + i!, top, left]) * read(kernel!, [o!, i!, a!, b!]);
        });
        return total;
      }),
    ];
  },
  convTranspose: ({ attributes, outputs }, [x, kernel]) => {
    const { strides, padding, dilations, groups } = attributes;
    const [inChannels, outPerGroup, kernelHeight, kernelWidth] = kernel!.shape as [
      number,
      number,
      number,
      number,
    ];
    const [rows, columns] = outputs[0]!.shape.slice(2) as [number, number];
    const result = fill([x!.shape[0]!, outPerGroup * groups, rows, columns], () => 0);
    visit(x!.shape, ([n, i, row, column]) => {
      const group = Math.floor(i! / (inChannels / groups));
      visit([outPerGroup, kernelHeight, kernelWidth], ([o, a, b]) => {
        const top = row! * strides[0] + a! * dilations[0] - padding[0];
        const left = column! * strides[1] + b! * dilations[1] - padding[1];
        if (top < 0 || left < 0 || top >= rows || left >= columns) return;
        const place = offset(result, [n!, group * outPerGroup + o!, top, left]);
        result.data[place] =
          result.data[place]! + read(x!, [n!, i!, row!, column!]) * read(kernel!, [i!, o!, a!, b!]);
      });
    });
    return [result];
  },
  averagePool: ({ attributes: { kernel, strides, padding }, outputs }, [x]) => {
    const [, , height, width] = x!.shape;
    const [rows, columns] = outputs[0]!.shape.slice(2) as [number, number];
    return [
      fill([x!.shape[0]!, x!.shape[1]!, rows, columns], ([n, channel, row, column]) => {
        const seen: number[] = [];
        visit(kernel, ([a, b]) => {
          const top = row! * strides[0] + a! - padding[0];
          const left = column! * strides[1] + b! - padding[1];
          const inside = top >= 0 && left >= 0 && top < height! && left < width!;
          if (inside) seen.push(read(x!, [n!, channel!, top, left]));
        });
        return mean(seen);
      }),
    ];
  },

  layerNorm: ({ attributes: { epsilon } }, [x, gain, bias]) => {
    const axis = x!.shape.length - 1;
    const last = { axes: [axis], keep: true };
    const center = reduce(x!, last, mean);
    const inverse = reduce(x!, last, (values) => 1 / Math.sqrt(variance(values) + epsilon));
    const y = fill(x!.shape, (index) => {
      const normal = (read(x!, index) - readStretched(center, index)) * readStretched(inverse, index);
      return normal * gain!.data[index[axis]!]! + bias!.data[index[axis]!]!;
    });
    return [y, center, inverse];
  },
  batchNorm: ({ attributes: { epsilon } }, [x, gain, bias, center, spread]) => [
    normalizeChannels(x!, { gain: gain!, bias: bias!, center: center!, spread: spread!, epsilon }),
  ],
  batchNormTraining: ({ attributes: { epsilon } }, [x, gain, bias]) => {
    const perChannel = { axes: [0, 2, 3], keep: false };
    const center = reduce(x!, perChannel, mean);
    const spread = reduce(x!, perChannel, variance);
    return [normalizeChannels(x!, { gain: gain!, bias: bias!, center, spread, epsilon }), center, spread];
  },
};

function normalizeChannels(
  x: Doubles,
  affine: { gain: Doubles; bias: Doubles; center: Doubles; spread: Doubles; epsilon: number },
): Doubles {
  return fill(x.shape, (index) => {
    const [gain, bias, center, spread] = [affine.gain, affine.bias, affine.center, affine.spread].map(
      (statistic) => statistic.data[index[1]!]!,
    );
    return ((read(x, index) - center!) / Math.sqrt(spread! + affine.epsilon)) * gain! + bias!;
  });
}

function elementwise(
  compute: (...operands: number[]) => number,
): (node: unknown, inputs: readonly Doubles[]) => Doubles[] {
  return (_, inputs) => [
    fill(stretched(inputs.map(({ shape }) => shape)), (index) =>
      compute(...inputs.map((operand) => readStretched(operand, index))),
    ),
  ];
}

/** erf as its power series, which is exact to 1e-13 for the numbers |x| < 3 that the cases use. */
function errorFunction(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; n < 100; n++) {
    term *= -(x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

function reduce(
  x: Doubles,
  { axes, keep }: { readonly axes: readonly number[]; readonly keep: boolean },
  compute: (values: number[]) => number,
): Doubles {
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const groups = Array.from({ length: elementCount(kept) }, (): number[] => []);
  const places = { shape: kept, data: Float64Array.from(groups.keys()) };
  visit(x.shape, (index) => groups[readStretched(places, index)]!.push(read(x, index)));
  const shape = keep ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  return { shape, data: Float64Array.from(groups, compute) };
}

function alongAxis(x: Doubles, axis: number, compute: (values: number[]) => number[]): Doubles {
  return fill(x.shape, (index) => {
    const values = range(x.shape[axis]!).map((place) => read(x, replaced(index, axis, place)));
    return compute(values)[index[axis]!]!;
  });
}

function known(shape: Shape, sizes: ReadonlyMap<string, number>): number[] {
  return shape.map((dimension) =>
    isSymbolic(dimension) ? dimension.factor * sizes.get(dimension.symbol)! : dimension,
  );
}

/** The common shape of operands that stretch along axes of size 1. */
function stretched(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return range(rank).map((axis) => {
    const lengths = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return lengths.find((length) => length !== 1) ?? 1;
  });
}

function fill(shape: readonly number[], compute: (index: readonly number[]) => number): Doubles {
  const data = new Float64Array(elementCount(shape));
  let at = 0;
  visit(shape, (index) => {
    data[at++] = compute(index);
  });
  return { shape, data };
}

/** All places of an array in row-major order. */
function visit(shape: readonly number[], see: (index: readonly number[]) => void): void {
  const index = shape.map(() => 0);
  for (let left = elementCount(shape); left > 0; left--) {
    see(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = index[axis]! + 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

function offset({ shape }: Doubles, index: readonly number[]): number {
  return shape.reduce((place, length, axis) => place * length + index[axis]!, 0);
}

function read(x: Doubles, index: readonly number[]): number {
  return x.data[offset(x, index)]!;
}

function readOrZero(x: Doubles, index: readonly number[]): number {
  return index.every((place, axis) => place >= 0 && place < x.shape[axis]!) ? read(x, index) : 0;
}

function readStretched(x: Doubles, index: readonly number[]): number {
  const lead = index.length - x.shape.length;
  return read(
    x,
    x.shape.map((length, axis) => (length === 1 ? 0 : index[axis + lead]!)),
  );
}

function replaced(shape: readonly number[], axis: number, length: number): number[] {
  return shape.map((old, i) => (i === axis ? length : old));
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function variance(values: readonly number[]): number {
  const center = mean(values);
  return mean(values.map((value) => (value - center) ** 2));
}
