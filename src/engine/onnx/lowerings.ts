/** From the graph's operators to ONNX's, one row an operator. */
import { isSymbolic, type Shape } from '../../graph/dimension.ts';
import type { ConvolutionAttributes, OperatorName } from '../../graph/operators.ts';
import { elementCount } from '../../graph/tensor.ts';
import type { NodeOf, Value } from '../../graph/value.ts';
import { type OnnxAttribute, onnxTypes } from './encode.ts';

/** What a row may ask for and write to. */
export interface LoweringContext {
  /** The name under which a value stands in the program. */
  nameOf(value: Value): string;
  /** Whether anything reads this output of a node. */
  isUsed(value: Value): boolean;
  /** Adds a node; without `outputs` it makes up one name. Returns the first output's name. */
  emit(operator: string, inputs: readonly string[], options?: EmitOptions): string;
  /** A small tensor that the program carries. */
  constant(data: BigInt64Array | Float32Array | Uint8Array, shape: readonly number[]): string;
  /** Names the input, binds the parameter, writes the constant. */
  leaf(node: NodeOf<'input'> | NodeOf<'parameter'> | NodeOf<'constant'>): void;
  /** The product of two matrices, which depends on how weights are stored and quantised. */
  gemm(node: NodeOf<'gemm'>): void;
  /** The type in which float values are computed. */
  floatType: 'float32' | 'float16';
}

export interface EmitOptions {
  attributes?: Readonly<Record<string, OnnxAttribute>>;
  outputs?: readonly string[];
  domain?: string;
}

type Lowering<K extends OperatorName> = (node: NodeOf<K>, context: LoweringContext) => void;

/** One row an operator. */
export const lowerings: { readonly [K in OperatorName]: Lowering<K> } = {
  input: (node, context) => context.leaf(node),
  parameter: (node, context) => context.leaf(node),
  constant: (node, context) => context.leaf(node),

  negate: plain('Neg'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  reciprocal: plain('Reciprocal'),
  tanh: plain('Tanh'),
  sigmoid: plain('Sigmoid'),
  erf: plain('Erf'),
  abs: plain('Abs'),
  relu: plain('Relu'),
  clamp: (node, context) => {
    const { lowest, highest } = node.attributes;
    const bounds = [lowest, highest].map((bound) => context.constant(Float32Array.of(bound), []));
    write(node, context, 'Clip', {}, bounds);
  },
  silu: (node, context) => {
    const [x] = names(node, context);
    const [y, gate] = node.outputs.map((output) => context.nameOf(output));
    context.emit('Sigmoid', [x!], { outputs: [gate!] });
    context.emit('Mul', [x!, gate!], { outputs: [y!] });
  },
  softplus: plain('Softplus'),
  cast: (node, context) => {
    const { to } = node.attributes;
    write(node, context, 'Cast', { to: onnxTypes[to === 'float32' ? context.floatType : to] });
  },
  add: plain('Add'),
  subtract: plain('Sub'),
  multiply: plain('Mul'),
  divide: plain('Div'),
  maximum: plain('Max'),
  minimum: plain('Min'),
  equal: plain('Equal'),
  greater: plain('Greater'),
  where: plain('Where'),

  reduceSum: reduction('ReduceSum'),
  reduceMean: reduction('ReduceMean'),
  reduceMax: reduction('ReduceMax'),
  argMax: (node, context) => write(node, context, 'ArgMax', { axis: node.attributes.axis, keepdims: 0 }),
  softmax: (node, context) => write(node, context, 'Softmax', { axis: node.attributes.axis }),
  logSoftmax: (node, context) => write(node, context, 'LogSoftmax', { axis: node.attributes.axis }),

  reshape: (node, context) => {
    write(node, context, 'Reshape', {}, [indices(context, openShape(node.attributes.shape))]);
  },
  transpose: (node, context) => write(node, context, 'Transpose', { perm: node.attributes.permutation }),
  concat: (node, context) => write(node, context, 'Concat', { axis: node.attributes.axis }),
  slice: (node, context) => {
    const { axis, start, end, step } = node.attributes;
    // Backwards, the end before the first element is "minus infinity": −1 would mean the last one.
    const until = step < 0 && end < 0 ? Number.MIN_SAFE_INTEGER : end;
    const bounds = [start, until, axis, step].map((number) => indices(context, [number]));
    write(node, context, 'Slice', {}, bounds);
  },
  pad: (node, context) => {
    const { before, after } = node.attributes;
    write(node, context, 'Pad', {}, [indices(context, [...before, ...after])]);
  },
  fitLength: (node, context) => {
    // Room for all that may be missing, then a cut: no size needs to be looked at.
    const { axis, length } = node.attributes;
    const [x] = node.inputs;
    const none = x!.shape.map(() => 0);
    const room = x!.shape.map((_, i) => (i === axis ? length : 0));
    const padded = context.emit('Pad', [context.nameOf(x!), indices(context, [...none, ...room])]);
    const bounds = [0, length, axis, 1].map((number) => indices(context, [number]));
    context.emit('Slice', [padded, ...bounds], { outputs: [context.nameOf(node.outputs[0]!)] });
  },
  broadcastLike: (node, context) => {
    const [x, reference] = node.inputs;
    const shape = reference!.shape.some(isSymbolic)
      ? context.emit('Shape', [context.nameOf(reference!)])
      : indices(context, reference!.shape as number[]);
    context.emit('Expand', [context.nameOf(x!), shape], { outputs: [context.nameOf(node.outputs[0]!)] });
  },
  gather: (node, context) => write(node, context, 'Gather', { axis: node.attributes.axis }),
  scatterAdd: (node, context) => {
    // ScatterND would take rows as they are, but adds equal indices from several threads at once and loses some.
    const [index, updates] = node.inputs;
    const shape = node.outputs[0]!.shape as number[];
    const width = elementCount(shape.slice(1));
    const flat = context.emit('Reshape', [context.nameOf(updates!), indices(context, [-1, width])]);
    const column = context.emit('Reshape', [context.nameOf(index!), indices(context, [-1, 1])]);
    const places = context.emit('Expand', [column, indices(context, [1, width])]);
    const zero = context.constant(Float32Array.of(0), []);
    const zeros = context.emit('Expand', [zero, indices(context, [shape[0]!, width])]);
    const sums = context.emit('ScatterElements', [zeros, places, flat], {
      attributes: { axis: 0, reduction: 'add' },
    });
    context.emit('Reshape', [sums, indices(context, shape)], { outputs: [context.nameOf(node.outputs[0]!)] });
  },
  selectTokens: (node, context) => {
    const [tokens, index] = node.inputs;
    const column = context.emit('Reshape', [context.nameOf(index!), indices(context, [-1, 1])]);
    context.emit('GatherND', [context.nameOf(tokens!), column], {
      attributes: { batch_dims: 1 },
      outputs: [context.nameOf(node.outputs[0]!)],
    });
  },

  matmul: plain('MatMul'),
  gemm: (node, context) => context.gemm(node),

  conv: (node, context) => write(node, context, 'Conv', convolution(node.attributes)),
  convTranspose: (node, context) => {
    const { outputPadding, ...rest } = node.attributes;
    write(node, context, 'ConvTranspose', { ...convolution(rest), output_padding: outputPadding });
  },
  averagePool: (node, context) => {
    const { kernel, strides, padding } = node.attributes;
    write(node, context, 'AveragePool', { kernel_shape: kernel, strides, pads: padding });
  },

  layerNorm: (node, context) => {
    // Mean and deviation cost a pass: only training asks for them.
    const used = node.outputs.filter((output, i) => i === 0 || context.isUsed(output));
    const outputs = used.length > 1 ? node.outputs : used;
    context.emit('LayerNormalization', names(node, context), {
      attributes: { axis: -1, epsilon: { float: node.attributes.epsilon } },
      outputs: outputs.map((output) => context.nameOf(output)),
    });
  },
  batchNorm: (node, context) => {
    write(node, context, 'BatchNormalization', { epsilon: { float: node.attributes.epsilon } });
  },
  batchNormTraining: (node, context) => {
    // ONNX wants running statistics; with momentum 0 it returns those of the batch instead of a mixture. onnxruntime
    // puts its answers into the memory of what it was given: two arrays that nobody else reads, so no shared constant.
    const [, gain, bias] = names(node, context);
    const zero = context.constant(Float32Array.of(0), []);
    const unused = [gain!, bias!].map((name) => context.emit('Mul', [name, zero]));
    context.emit('BatchNormalization', [...names(node, context), ...unused], {
      attributes: { epsilon: { float: node.attributes.epsilon }, momentum: { float: 0 }, training_mode: 1 },
      outputs: node.outputs.map((output) => context.nameOf(output)),
    });
  },
};

/** An operator that ONNX has under another name, with the same inputs and no attributes. */
function plain(operator: string): (node: NodeOf<OperatorName>, context: LoweringContext) => void {
  return (node, context) => write(node, context, operator, {});
}

function reduction(
  operator: string,
): (
  node: NodeOf<'reduceSum'> | NodeOf<'reduceMean'> | NodeOf<'reduceMax'>,
  context: LoweringContext,
) => void {
  return (node, context) => {
    const { axes, keep } = node.attributes;
    write(node, context, operator, { keepdims: keep ? 1 : 0 }, [indices(context, axes)]);
  };
}

function write(
  node: NodeOf<OperatorName>,
  context: LoweringContext,
  operator: string,
  attributes: Readonly<Record<string, OnnxAttribute>>,
  furtherInputs: readonly string[] = [],
): void {
  context.emit(operator, [...names(node, context), ...furtherInputs], {
    attributes,
    outputs: [context.nameOf(node.outputs[0]!)],
  });
}

function names(node: NodeOf<OperatorName>, context: LoweringContext): string[] {
  return node.inputs.map((input) => context.nameOf(input));
}

function convolution({
  strides,
  padding,
  dilations,
  groups,
}: ConvolutionAttributes): Record<string, OnnxAttribute> {
  return { strides, pads: padding, dilations, group: groups };
}

function indices(context: LoweringContext, numbers: readonly number[]): string {
  return context.constant(BigInt64Array.from(numbers, BigInt), [numbers.length]);
}

/** ONNX's way to write one open size: −1. */
function openShape(shape: Shape): number[] {
  return shape.map((dimension) => (isSymbolic(dimension) ? -1 : dimension));
}
