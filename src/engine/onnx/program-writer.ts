/** Gathers the nodes, tensors and inputs of a program, and makes up names for what the model gives none. */
import { isSymbolic, type Shape } from '../../graph/dimension.ts';
import type { DataType } from '../../graph/tensor.ts';
import type { Value } from '../../graph/value.ts';
import { type OnnxNode, type OnnxTensor, type OnnxValue, onnxTypes } from './encode.ts';
import type { LoweringContext } from './lowerings.ts';

export interface ProgramWriter extends Pick<LoweringContext, 'emit' | 'constant' | 'floatType'> {
  nodes: OnnxNode[];
  initializers: Map<string, OnnxTensor>;
  inputs: OnnxValue[];
  /** A name that nothing else has. */
  fresh(): string;
  /** Declares an input; returns the name under which its values are computed with. */
  input(name: string, value: Value): string;
  /** Adds a tensor; returns the name under which its values are computed with. */
  tensor(tensor: OnnxTensor): string;
}

/** @param taken names that must not be made up, because results, inputs and parameters have them */
export function createProgramWriter(
  floatType: LoweringContext['floatType'],
  taken: ReadonlySet<string>,
): ProgramWriter {
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs: OnnxValue[] = [];
  let counter = 0;

  const fresh = (): string => {
    const name = `v${counter++}`;
    return taken.has(name) ? fresh() : name;
  };
  const emit: LoweringContext['emit'] = (operator, inputNames, options = {}) => {
    const { attributes = {}, outputs = [fresh()], domain = '' } = options;
    nodes.push({ operator, domain, inputs: inputNames, outputs, attributes });
    return outputs[0]!;
  };
  /** Floats of every width become those of the computation; onnxruntime folds the casts of tensors. */
  const computed = (name: string, type: DataType): string => {
    if (!isFloat[type] || type === floatType) return name;
    return emit('Cast', [name], { attributes: { to: onnxTypes[floatType] } });
  };
  const tensor = (added: OnnxTensor): string => {
    initializers.set(added.name, added);
    return computed(added.name, added.type);
  };

  return {
    nodes,
    initializers,
    inputs,
    floatType,
    fresh,
    emit,
    tensor,
    constant(data, shape) {
      const type =
        data instanceof Float32Array ? 'float32' : data instanceof BigInt64Array ? 'int64' : 'uint8';
      // Small ones are named by what they are, so that equal ones are one.
      const name = `${type}${shape.length}:${data.length <= 16 ? `${shape}:${data}` : fresh()}`;
      if (initializers.has(name)) return computed(name, type);
      return tensor({ name, type, shape, data: bytesOf(data) });
    },
    input(name, { shape, type }) {
      inputs.push({ name, type, shape: namedShape(shape) });
      return computed(name, type);
    },
  };
}

const isFloat: { readonly [T in DataType]: boolean } = {
  float64: true,
  float32: true,
  float16: true,
  bfloat16: true,
  int64: false,
  int32: false,
  int16: false,
  int8: false,
  uint8: false,
  bool: false,
};

/** Symbolic sizes by name; multiples get a name of their own, as ONNX knows no products. */
export function namedShape(shape: Shape): (number | string)[] {
  return shape.map((dimension) => {
    if (!isSymbolic(dimension)) return dimension;
    return dimension.factor === 1 ? dimension.symbol : `${dimension.factor}_${dimension.symbol}`;
  });
}

export function bytesOf(data: BigInt64Array | Float32Array | Uint8Array | Int8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
