/** ONNX's file format: the messages that a program needs, as plain objects, and their encoding. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { DataType } from '../../graph/tensor.ts';

/** Numbers of ONNX's TensorProto.DataType. */
export const onnxTypes: { readonly [T in DataType]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

export type OnnxAttribute = number | string | readonly number[] | { readonly float: number };

export interface OnnxNode {
  operator: string;
  /** Empty for ONNX's own operators. */
  domain: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxTensor {
  name: string;
  type: DataType;
  shape: readonly number[];
  data: Uint8Array | { file: string; offset: number; byteLength: number };
}

export interface OnnxValue {
  name: string;
  type: DataType;
  /** A number, or the name of a size that is known at run time. */
  shape: readonly (number | string)[];
}

export interface OnnxModel {
  nodes: readonly OnnxNode[];
  initializers: readonly OnnxTensor[];
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
}

/** ONNX IR 9 with operator set 20, which every onnxruntime since 1.17 reads. */
const irVersion = 9;
export const operatorSets = { '': 20, 'com.microsoft': 1 } as const;

/** The bytes of an .onnx file. Field numbers are those of onnx.proto3. */
export function encodeModel(model: OnnxModel): Uint8Array<ArrayBuffer> {
  // Large tensors are copied once, into the result: nested messages would copy them once a level.
  const segments = inSegments(
    model,
    ({ data }) => data instanceof Uint8Array && data.length >= largeTensor,
  ) as Uint8Array[];
  const bytes = new Uint8Array(segments.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const segment of segments) {
    bytes.set(segment, offset);
    offset += segment.length;
  }
  return bytes;
}

const largeTensor = 65536;

/** A part of a model's file: bytes as they are, or the place where the bytes of a tensor belong. */
export type ModelSegment = Uint8Array | OnnxTensor;

/**
 * The .onnx file with all tensors inside, in pieces: those that lie elsewhere stand for themselves, to be read when
 * they are written, so that no file is held in memory. Each must fill the bytes that its `data` names.
 */
export function embedTensors(model: OnnxModel): ModelSegment[] {
  return inSegments(model, ({ data }) => !(data instanceof Uint8Array));
}

/** The file in pieces, with the bytes of some tensors as pieces of their own. */
function inSegments(model: OnnxModel, isApart: (tensor: OnnxTensor) => boolean): ModelSegment[] {
  const graph = new BinaryWriter();
  encodeGraph(graph, { ...model, initializers: model.initializers.filter((tensor) => !isApart(tensor)) });
  const small = graph.finish();
  const tensors = model.initializers.filter(isApart).flatMap((tensor): ModelSegment[] => {
    const { data } = tensor;
    const head = new BinaryWriter();
    encodeTensorHead(head, tensor);
    head.tag(9, WireType.LengthDelimited).uint32(data.byteLength);
    const bytes = head.finish();
    const prefix = new BinaryWriter().tag(5, WireType.LengthDelimited);
    prefix.uint32(bytes.length + data.byteLength);
    return [prefix.finish(), bytes, data instanceof Uint8Array ? data : tensor];
  });
  const total = [small, ...tensors].reduce((sum, segment) => sum + segmentLength(segment), 0);
  const writer = new BinaryWriter();
  encodeHead(writer);
  writer.tag(7, WireType.LengthDelimited).uint32(total);
  return [writer.finish(), small, ...tensors];
}

/** Bytes that a segment fills. */
export function segmentLength(segment: ModelSegment): number {
  return segment instanceof Uint8Array ? segment.length : segment.data.byteLength;
}

function encodeHead(writer: BinaryWriter): void {
  writer.tag(1, WireType.Varint).int64(irVersion);
  writer.tag(2, WireType.LengthDelimited).string('eidos');
  for (const [domain, version] of Object.entries(operatorSets)) {
    message(writer, 8, (set) => {
      set.tag(1, WireType.LengthDelimited).string(domain);
      set.tag(2, WireType.Varint).int64(version);
    });
  }
}

function encodeGraph(writer: BinaryWriter, model: OnnxModel): void {
  for (const node of model.nodes) message(writer, 1, (inner) => encodeNode(inner, node));
  writer.tag(2, WireType.LengthDelimited).string('eidos');
  for (const tensor of model.initializers) message(writer, 5, (inner) => encodeTensor(inner, tensor));
  for (const value of model.inputs) message(writer, 11, (inner) => encodeValue(inner, value));
  for (const value of model.outputs) message(writer, 12, (inner) => encodeValue(inner, value));
}

function encodeNode(writer: BinaryWriter, node: OnnxNode): void {
  for (const name of node.inputs) writer.tag(1, WireType.LengthDelimited).string(name);
  for (const name of node.outputs) writer.tag(2, WireType.LengthDelimited).string(name);
  writer.tag(4, WireType.LengthDelimited).string(node.operator);
  for (const [name, value] of Object.entries(node.attributes)) {
    message(writer, 5, (inner) => encodeAttribute(inner, name, value));
  }
  if (node.domain !== '') writer.tag(7, WireType.LengthDelimited).string(node.domain);
}

/** Numbers are integers unless wrapped as { float }. */
function encodeAttribute(writer: BinaryWriter, name: string, value: OnnxAttribute): void {
  writer.tag(1, WireType.LengthDelimited).string(name);
  const type = (number: number): BinaryWriter => writer.tag(20, WireType.Varint).int32(number);
  if (typeof value === 'number') {
    writer.tag(3, WireType.Varint).int64(value);
    type(2);
  } else if (typeof value === 'string') {
    writer.tag(4, WireType.LengthDelimited).string(value);
    type(3);
  } else if ('float' in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    type(1);
  } else {
    for (const item of value) writer.tag(8, WireType.Varint).int64(item);
    type(7);
  }
}

function encodeTensorHead(writer: BinaryWriter, { name, type, shape }: OnnxTensor): void {
  for (const size of shape) writer.tag(1, WireType.Varint).int64(size);
  writer.tag(2, WireType.Varint).int32(onnxTypes[type]);
  writer.tag(8, WireType.LengthDelimited).string(name);
}

function encodeTensor(writer: BinaryWriter, tensor: OnnxTensor): void {
  const { data } = tensor;
  encodeTensorHead(writer, tensor);
  if (data instanceof Uint8Array) {
    writer.tag(9, WireType.LengthDelimited).bytes(data);
    return;
  }
  const place = { location: data.file, offset: String(data.offset), length: String(data.byteLength) };
  for (const [key, value] of Object.entries(place)) {
    message(writer, 13, (entry) => {
      entry.tag(1, WireType.LengthDelimited).string(key);
      entry.tag(2, WireType.LengthDelimited).string(value);
    });
  }
  writer.tag(14, WireType.Varint).int32(1);
}

function encodeValue(writer: BinaryWriter, { name, type, shape }: OnnxValue): void {
  writer.tag(1, WireType.LengthDelimited).string(name);
  message(writer, 2, (valueType) => {
    message(valueType, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(onnxTypes[type]);
      message(tensor, 2, (dimensions) => {
        for (const size of shape) {
          message(dimensions, 1, (dimension) => {
            if (typeof size === 'number') dimension.tag(1, WireType.Varint).int64(size);
            else dimension.tag(2, WireType.LengthDelimited).string(size);
          });
        }
      });
    });
  });
}

function message(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}
