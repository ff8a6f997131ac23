/** A matrix product with 8-bit weights: activations are quantised while it runs, weights beforehand. */
import type { OnnxTensor } from './encode.ts';
import type { LoweringContext } from './lowerings.ts';

/** A weight [out, in] as 8-bit numbers [in, out] with one scale a column. */
export interface QuantizedWeight {
  name: string;
  shape: [rows: number, columns: number];
  /** Signed numbers; the product with unsigned activations is exact in 32 bits. */
  data: Int8Array;
  /** value = scale · number, one scale an output column. */
  scales: Float32Array;
}

/** Writes `output = activations × weight + bias`. */
export function writeQuantizedGemm(
  { emit, initializers }: Pick<LoweringContext, 'emit'> & { initializers: Map<string, OnnxTensor> },
  weight: QuantizedWeight,
  { activations, bias, output }: { activations: string; bias: string | undefined; output: string },
): void {
  const numbers = `${weight.name}:int8`;
  const scales = `${weight.name}:scales`;
  const bytes = (data: Int8Array | Float32Array): Uint8Array =>
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  initializers.set(numbers, { name: numbers, type: 'int8', shape: weight.shape, data: bytes(weight.data) });
  initializers.set(scales, {
    name: scales,
    type: 'float32',
    shape: [weight.scales.length],
    data: bytes(weight.scales),
  });
  const inputs = [activations, numbers, scales, '', ...(bias === undefined ? [] : [bias])];
  emit('DynamicQuantizeMatMul', inputs, { domain: 'com.microsoft', outputs: [output] });
}
