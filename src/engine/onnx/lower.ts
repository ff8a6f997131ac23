/** Turns a graph into an ONNX program whose weights stay where they lie. */
import { EidosError } from '../../errors.ts';
import type { BoundTensor } from '../../graph/tensor.ts';
import { type Node, type NodeOf, nodesOf, type Value } from '../../graph/value.ts';
import { verify } from '../../graph/verify.ts';
import { encodeModel, type OnnxModel, type OnnxValue, onnxTypes } from './encode.ts';
import { type LoweringContext, lowerings } from './lowerings.ts';
import { bytesOf, createProgramWriter, namedShape, type ProgramWriter } from './program-writer.ts';
import { type QuantizedContext, type QuantizedWeight, writeQuantizedGemm } from './quantized-gemm.ts';
import { commonFolder, filesOf, placeIn } from './weight-files.ts';

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
  const weightFolder = commonFolder(options.weights?.values() ?? []);
  const model = lowerToModel(results, options, weightFolder);
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
  weightFolder: string | undefined = commonFolder(options.weights?.values() ?? []),
): OnnxModel {
  const roots = [...Object.values(results), ...(options.unreadInputs ?? [])];
  verify(roots);
  const nodes = nodesOf(roots);
  const writer = createProgramWriter(options.floatType ?? 'float32', takenNames(nodes, results));
  const used = new Set(nodes.flatMap((node) => node.inputs).concat(Object.values(results)));
  const values = createValues(writer, options, weightFolder);
  const context: LoweringContext = {
    nameOf: values.nameOf,
    isUsed: (value) => used.has(value),
    emit: writer.emit,
    constant: writer.constant,
    floatType: writer.floatType,
    leaf: values.declare,
    gemm: gemmWriter(writer, values, options),
  };

  const aliases = values.nameResults(results);
  for (const node of nodes) {
    const lowering = lowerings[node.operator] as (node: Node, context: LoweringContext) => void;
    lowering(node, context);
  }
  for (const { name, value } of aliases) {
    const widen = value.type === 'float32' && writer.floatType !== 'float32';
    if (widen)
      writer.emit('Cast', [values.nameOf(value)], { attributes: { to: onnxTypes.float32 }, outputs: [name] });
    else writer.emit('Identity', [values.nameOf(value)], { outputs: [name] });
  }
  return {
    nodes: writer.nodes,
    initializers: [...writer.initializers.values()],
    inputs: writer.inputs,
    outputs: Object.entries(results).map(([name, { shape, type }]) => ({
      name,
      type,
      shape: namedShape(shape),
    })),
  };
}

/** Names of results, inputs and parameters, which must all differ. */
function takenNames(nodes: readonly Node[], results: Readonly<Record<string, Value>>): Set<string> {
  const taken = new Set(Object.keys(results));
  for (const node of nodes) {
    if (node.operator !== 'input' && node.operator !== 'parameter') continue;
    const { name } = node.attributes;
    if (Object.hasOwn(results, name)) {
      throw new EidosError(
        'invalid_graph',
        `A result is called "${name}", as ${node.operator} "${name}" is.`,
      );
    }
    taken.add(name);
  }
  return taken;
}

/** The names that the graph's values have in the program. */
interface Values {
  nameOf(value: Value): string;
  /** The name of a weight that its file holds the other way round, as it lies; undefined for all others. */
  nameAsStored(value: Value): string | undefined;
  /** Declares an input, binds a parameter, or writes a constant. */
  declare: LoweringContext['leaf'];
  /** Names results before anything is written, so that no renaming copy is needed; returns those that need one. */
  nameResults(results: Readonly<Record<string, Value>>): { name: string; value: Value }[];
}

function createValues(
  writer: ProgramWriter,
  options: LoweringOptions,
  weightFolder: string | undefined,
): Values {
  const names = new Map<Value, string>();
  /** Weights that their file holds transposed, and what turning them back is called once it is needed. */
  const transposed = new Map<Value, string | undefined>();

  const bind = (node: NodeOf<'parameter'>): string => {
    const { name, shape } = node.attributes;
    const value = node.outputs[0]!;
    const tensor = options.weights?.get(name);
    if (options.quantized?.has(name)) return name;
    if (tensor === undefined) return writer.input(name, value);
    if (tensor.transposed) transposed.set(value, undefined);
    const stored = tensor.transposed ? [...shape].reverse() : shape;
    return writer.tensor({ name, type: tensor.type, shape: stored, data: placeIn(weightFolder, tensor) });
  };

  return {
    nameOf(value) {
      const { node } = value;
      if (node.operator === 'parameter' && options.quantized?.has(node.attributes.name)) {
        throw new EidosError(
          'invalid_graph',
          `"${node.attributes.name}" is quantised, but not only the weight of products.`,
        );
      }
      const known = names.get(value) ?? writer.fresh();
      names.set(value, known);
      if (!transposed.has(value)) return known;
      const turned = transposed.get(value) ?? writer.emit('Transpose', [known]);
      transposed.set(value, turned);
      return turned;
    },
    nameAsStored: (value) => (transposed.has(value) ? names.get(value) : undefined),
    declare(node) {
      const value = node.outputs[0]!;
      if (node.operator === 'input') names.set(value, writer.input(node.attributes.name, value));
      else if (node.operator === 'parameter') names.set(value, bind(node));
      else {
        const { data, shape, type } = node.attributes;
        names.set(value, writer.tensor({ name: writer.fresh(), type, shape, data: bytesOf(data) }));
      }
    },
    nameResults(results) {
      return Object.entries(results).flatMap(([name, value]) => {
        const isLeaf = value.node.inputs.length === 0;
        const needsCast = writer.floatType !== 'float32' && value.type === 'float32';
        if (names.has(value) || isLeaf || needsCast) return [{ name, value }];
        names.set(value, name);
        return [];
      });
    },
  };
}

/** Matrix products: with 8-bit weights where there are some, and with weights as their file holds them. */
function gemmWriter(
  { emit, constant, initializers }: ProgramWriter,
  { nameOf, nameAsStored }: Values,
  { quantized }: LoweringOptions,
): LoweringContext['gemm'] {
  const context: QuantizedContext = { emit, constant, initializers, rows: new Map() };
  return ({ inputs: [a, b, bias], outputs, attributes }) => {
    const { transposeA, transposeB, scale, biasScale } = attributes;
    const output = nameOf(outputs[0]!);
    const weight = b!.node.operator === 'parameter' ? quantized?.get(b!.node.attributes.name) : undefined;
    if (weight !== undefined) {
      const scaled = (name: string): string =>
        biasScale === 1 ? name : emit('Mul', [name, constant(Float32Array.of(biasScale), [])]);
      writeQuantizedGemm(context, scaledWeight(weight, scale), {
        activations: nameOf(a!),
        bias: bias === undefined ? undefined : scaled(nameOf(bias)),
        output,
      });
      return;
    }
    const stored = nameAsStored(b!);
    emit('Gemm', [nameOf(a!), stored ?? nameOf(b!), ...(bias === undefined ? [] : [nameOf(bias)])], {
      attributes: {
        transA: transposeA ? 1 : 0,
        transB: transposeB !== (stored !== undefined) ? 1 : 0,
        alpha: { float: scale },
        beta: { float: biasScale },
      },
      outputs: [output],
    });
  };
}

function scaledWeight(weight: QuantizedWeight, scale: number): QuantizedWeight {
  return scale === 1 ? weight : { ...weight, scales: weight.scales.map((value) => value * scale) };
}
