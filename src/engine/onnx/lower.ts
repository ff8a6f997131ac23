/** Turns a graph into an ONNX program whose weights stay where they lie. */
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { EidosError } from '../../errors.ts';
import { isSymbolic, type Shape } from '../../graph/dimension.ts';
import type { BoundTensor, DataType } from '../../graph/tensor.ts';
import { type Node, type NodeOf, nodesOf, type Value } from '../../graph/value.ts';
import { verify } from '../../graph/verify.ts';
import {
  encodeModel,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
  onnxTypes,
} from './encode.ts';
import { type EmitOptions, type LoweringContext, lowerings } from './lowerings.ts';
import { type QuantizedContext, type QuantizedWeight, writeQuantizedGemm } from './quantized-gemm.ts';

export interface LoweringOptions {
  /**
   * Where parameters lie. One that is missing here becomes an input of the program under its name,
   * as training wants it.
   */
  weights?: ReadonlyMap<string, BoundTensor>;
  /** Weights of matrix products in 8 bits, by the parameter's name. */
  quantized?: ReadonlyMap<string, QuantizedWeight>;
  /** The type in which float values are computed; inputs and outputs stay float32. @default 'float32' */
  floatType?: 'float32' | 'float16';
  /** Inputs that the program takes though nothing reads them, as callers of published models feed them. */
  unreadInputs?: readonly Value[];
}

/** An ONNX program. */
export interface Program {
  model: Uint8Array<ArrayBuffer>;
  /** The folder that the places of external weights are relative to; undefined where all is inside. */
  weightFolder: string | undefined;
  /** The files that it reads weights from, each once. */
  weightFiles: string[];
  inputs: OnnxValue[];
  outputs: OnnxValue[];
}

/** Lowers the graph that the named results reach. Throws `invalid_graph` where it is not sound. */
export function lower(results: Readonly<Record<string, Value>>, options: LoweringOptions = {}): Program {
  const weightFolder = commonFolder((options.weights ?? new Map<string, BoundTensor>()).values());
  const model = lowerToModel(results, options);
  const { inputs, outputs, initializers } = model;
  return {
    model: encodeModel(model),
    weightFolder,
    weightFiles: filesOf(initializers, weightFolder),
    inputs: [...inputs],
    outputs: [...outputs],
  };
}

/** The same as an object, for those who write it in their own way. */
export function lowerToModel(
  results: Readonly<Record<string, Value>>,
  options: LoweringOptions = {},
): OnnxModel {
  const roots = [...Object.values(results), ...(options.unreadInputs ?? [])];
  verify(roots);
  const nodes = nodesOf(roots);
  const floatType = options.floatType ?? 'float32';
  const weights = options.weights ?? new Map<string, BoundTensor>();
  const weightFolder = commonFolder(weights.values());
  const used = new Set(nodes.flatMap((node) => node.inputs).concat(Object.values(results)));

  const onnxNodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs: OnnxValue[] = [];
  const names = new Map<Value, string>();
  const quantizedRows: QuantizedContext['rows'] = new Map();
  const transposed = new Set<Value>();
  let counter = 0;
  const taken = new Set(Object.keys(results));
  /** A name that neither a result nor a leaf has. */
  const fresh = (): string => {
    const name = `v${counter++}`;
    return taken.has(name) ? fresh() : name;
  };

  const emit = (operator: string, inputNames: readonly string[], emitOptions: EmitOptions = {}): string => {
    const { attributes = {}, outputs = [fresh()], domain = '' } = emitOptions;
    onnxNodes.push({ operator, domain, inputs: inputNames, outputs, attributes });
    return outputs[0]!;
  };
  const constant: LoweringContext['constant'] = (data, shape) => {
    const type = data instanceof Float32Array ? 'float32' : data instanceof BigInt64Array ? 'int64' : 'uint8';
    const name = `${type}${shape.length}:${data.length <= 16 ? `${shape}:${data}` : fresh()}`;
    if (!initializers.has(name)) initializers.set(name, { name, type, shape, data: bytesOf(data) });
    return type === 'float32' ? toFloatType(name, 'float32') : name;
  };
  /** Casts of constants vanish when onnxruntime folds them. */
  const toFloatType = (name: string, type: DataType): string =>
    type === floatType ? name : emit('Cast', [name], { attributes: { to: onnxTypes[floatType] } });

  const leaf: LoweringContext['leaf'] = (node) => {
    const value = node.outputs[0]!;
    if (node.operator === 'input') names.set(value, declareInput(node.attributes.name, value));
    else if (node.operator === 'parameter') names.set(value, bind(node));
    else {
      const { data, shape, type } = node.attributes;
      const name = fresh();
      initializers.set(name, { name, type, shape, data: bytesOf(data) });
      names.set(value, type === 'float32' ? toFloatType(name, 'float32') : name);
    }
  };
  const declareInput = (name: string, { shape, type }: Value): string => {
    inputs.push({ name, type, shape: namedShape(shape) });
    return type === 'float32' ? toFloatType(name, 'float32') : name;
  };
  const bind = (node: NodeOf<'parameter'>): string => {
    const { name } = node.attributes;
    const value = node.outputs[0]!;
    if (options.quantized?.has(name)) return name;
    const tensor = weights.get(name);
    if (tensor === undefined) return declareInput(name, value);
    if (tensor.transposed) transposed.add(value);
    const shape = node.attributes.shape;
    initializers.set(name, {
      name,
      type: tensor.type,
      shape: tensor.transposed ? [...shape].reverse() : shape,
      data: place(tensor, weightFolder),
    });
    return toFloatType(name, tensor.type);
  };

  const context: LoweringContext = {
    nameOf: (value) => nameOf(value),
    isUsed: (value) => used.has(value),
    emit,
    constant,
    leaf,
    floatType,
    gemm: (node) => {
      const [a, b, bias] = node.inputs;
      const { transposeA, transposeB, scale, biasScale } = node.attributes;
      const output = nameOf(node.outputs[0]!);
      const weight =
        b!.node.operator === 'parameter' ? options.quantized?.get(b!.node.attributes.name) : undefined;
      if (weight !== undefined) {
        writeQuantizedGemm(
          { emit, constant, initializers, rows: quantizedRows },
          scaledWeight(weight, scale),
          {
            activations: nameOf(a!),
            bias: bias === undefined ? undefined : scaledBias(bias, biasScale),
            output,
          },
        );
        return;
      }
      // A weight that its file holds the other way round is read as it lies.
      const flip = transposed.has(b!);
      const right = flip ? storedName(b!) : nameOf(b!);
      emit('Gemm', [nameOf(a!), right, ...(bias === undefined ? [] : [nameOf(bias)])], {
        attributes: {
          transA: transposeA ? 1 : 0,
          transB: transposeB !== flip ? 1 : 0,
          alpha: { float: scale },
          beta: { float: biasScale },
        },
        outputs: [output],
      });
    },
  };
  const scaledBias = (bias: Value, scale: number): string =>
    scale === 1 ? nameOf(bias) : emit('Mul', [nameOf(bias), constant(Float32Array.of(scale), [])]);
  /** The name of a transposed weight as it lies in the file. */
  const storedName = (value: Value): string => names.get(value)!;
  const turned = new Map<Value, string>();
  const nameOf = (value: Value): string => {
    if (value.node.operator === 'parameter' && options.quantized?.has(value.node.attributes.name)) {
      const { name } = value.node.attributes;
      throw new EidosError('invalid_graph', `"${name}" is quantised, but not only the weight of products.`);
    }
    const known = names.get(value);
    if (known === undefined) {
      const name = fresh();
      names.set(value, name);
      return name;
    }
    if (!transposed.has(value)) return known;
    let name = turned.get(value);
    if (name === undefined) {
      name = emit('Transpose', [known]);
      turned.set(value, name);
    }
    return name;
  };

  for (const node of nodes) {
    if (node.operator !== 'input' && node.operator !== 'parameter') continue;
    const { name } = node.attributes;
    if (Object.hasOwn(results, name))
      throw new EidosError(
        'invalid_graph',
        `A result is called "${name}", as ${node.operator} "${name}" is.`,
      );
    taken.add(name);
  }
  // Results get their names before anything is written, so that no renaming copy is needed.
  const aliases: { name: string; value: Value }[] = [];
  for (const [name, value] of Object.entries(results)) {
    const isLeaf = value.node.inputs.length === 0;
    const needsCast = floatType !== 'float32' && value.type === 'float32';
    if (names.has(value) || isLeaf || needsCast) aliases.push({ name, value });
    else names.set(value, name);
  }
  for (const node of nodes) {
    const lowering = lowerings[node.operator] as (node: Node, context: LoweringContext) => void;
    lowering(node, context);
  }
  for (const { name, value } of aliases) {
    const attributes = { to: onnxTypes[value.type] };
    if (value.type === 'float32' && floatType !== 'float32')
      emit('Cast', [nameOf(value)], { attributes, outputs: [name] });
    else emit('Identity', [nameOf(value)], { outputs: [name] });
  }
  const outputs = Object.entries(results).map(([name, { shape, type }]) => ({
    name,
    type,
    shape: namedShape(shape),
  }));
  return { nodes: onnxNodes, initializers: [...initializers.values()], inputs, outputs };
}

/** Symbolic sizes by name; multiples get a name of their own, as ONNX knows no products. */
function namedShape(shape: Shape): (number | string)[] {
  return shape.map((dimension) => {
    if (!isSymbolic(dimension)) return dimension;
    return dimension.factor === 1 ? dimension.symbol : `${dimension.factor}_${dimension.symbol}`;
  });
}

function scaledWeight(weight: QuantizedWeight, scale: number): QuantizedWeight {
  return scale === 1 ? weight : { ...weight, scales: weight.scales.map((value) => value * scale) };
}

function bytesOf(data: BigInt64Array | Float32Array | Uint8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function place(tensor: BoundTensor, folder: string | undefined): OnnxTensor['data'] {
  if ('bytes' in tensor.location) return tensor.location.bytes;
  const { file, offset } = tensor.location;
  return { file: relative(folder!, file), offset, byteLength: tensor.byteLength };
}

function filesOf(tensors: Iterable<OnnxTensor>, folder: string | undefined): string[] {
  const files = new Set<string>();
  for (const { data } of tensors) {
    if (!(data instanceof Uint8Array)) files.add(join(folder!, data.file));
  }
  return [...files].sort();
}

/** The innermost folder that holds all weight files; onnxruntime reads nothing outside it. */
function commonFolder(tensors: Iterable<BoundTensor>): string | undefined {
  let folder: string | undefined;
  for (const { location } of tensors) {
    if (!('file' in location)) continue;
    const own = dirname(resolve(location.file));
    if (folder === undefined) folder = own;
    while (!holds(folder, own)) {
      const parent = dirname(folder);
      if (parent === folder) {
        throw new EidosError(
          'invalid_checkpoint',
          `${own} and ${folder} lie on different drives; put the files side by side.`,
        );
      }
      folder = parent;
    }
  }
  return folder;
}

/** Whether one folder lies in another, or is it. */
function holds(folder: string, inner: string): boolean {
  const way = relative(folder, inner);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
