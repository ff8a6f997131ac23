/** Gives the tensors of a checkpoint their canonical names, and the way back when one is written. */
import { EidosError } from '../../errors.ts';
import { type BoundTensor, type DataType, elementCount, type StoredTensor } from '../../graph/tensor.ts';
import type { ClipArchitecture, ImageClassifierArchitecture } from '../../models/architecture.ts';
import { canonicalShapes, imageClassifierShapes } from '../parameters.ts';
import { reshape, sliceRows, transpose } from '../tensors.ts';
import type { ImageClassifierLayoutName, LayoutName, Published } from './layout.ts';
import type { NameTable } from './names.ts';
import { shapeTable } from './shape-table.ts';
import { imageClassifierLayouts, layouts } from './table.ts';

/** Numbers of a parameter, [out, in] where it is a matrix. */
export interface ParameterValue {
  shape: number[];
  data: Float32Array;
}

/**
 * Canonical name → where the parameter lies, for all parameters of the architecture.
 * @param tensors of the checkpoint, prefix removed.
 * @throws EidosError `invalid_checkpoint` for a tensor that is missing or of another shape, `unsupported_checkpoint`
 * for one that the layout does not know, since leaving it out would give wrong results.
 */
export function bindParameters(
  layout: LayoutName,
  architecture: ClipArchitecture,
  tensors: ReadonlyMap<string, StoredTensor>,
): BoundParameters {
  const table = shapeTable(new Map([...tensors].map(([name, tensor]) => [name, tensor.shape])));
  const { published, ignores } = layouts[layout];
  return bindAll(canonicalShapes(architecture), tensors, {
    layout,
    published: published(architecture, table),
    ignores: (name) => ignores(name, architecture),
  });
}

/** The same for an image classifier. */
export function bindImageClassifier(
  layout: ImageClassifierLayoutName,
  architecture: ImageClassifierArchitecture,
  tensors: ReadonlyMap<string, StoredTensor>,
): BoundParameters {
  const { published, ignores } = imageClassifierLayouts[layout];
  return bindAll(imageClassifierShapes(architecture), tensors, {
    layout,
    published: published(architecture),
    ignores,
  });
}

interface BoundParameters {
  parameters: Map<string, BoundTensor>;
  /** Tensors that the parameters do not need. */
  unused: string[];
}

function bindAll(
  shapes: ReadonlyMap<string, number[]>,
  tensors: ReadonlyMap<string, StoredTensor>,
  {
    layout,
    published,
    ignores,
  }: { layout: string; published: NameTable; ignores: (name: string) => boolean },
): BoundParameters {
  const parameters = new Map<string, BoundTensor>();
  const used = new Set<string>();
  for (const [name, shape] of shapes) {
    const place = published.get(name);
    if (place === undefined) {
      throw new EidosError('unsupported_checkpoint', `The layout '${layout}' has no place for '${name}'.`);
    }
    used.add(place.from);
    parameters.set(name, bindOne(name, shape, place, tensors.get(place.from)));
  }
  const unused: string[] = [];
  for (const name of tensors.keys()) {
    if (used.has(name)) continue;
    if (!ignores(name)) {
      throw new EidosError(
        'unsupported_checkpoint',
        `The tensor '${name}' belongs to a variant that eidos does not have; without it the results would be wrong.`,
      );
    }
    unused.push(name);
  }
  return { parameters, unused };
}

/**
 * Published name → numbers, from canonical parameters: the layout run backwards.
 * @throws EidosError `invalid_option` for a parameter that is missing, of another shape, or without a place.
 */
export function publishParameters(
  layout: LayoutName,
  architecture: ClipArchitecture,
  parameters: ReadonlyMap<string, ParameterValue>,
): Map<string, ParameterValue> {
  const published = layouts[layout].published(architecture, shapeTable(new Map()));
  const result = new Map<string, ParameterValue>();
  for (const [name, shape] of canonicalShapes(architecture)) {
    const place = published.get(name);
    const value = parameters.get(name);
    if (place === undefined) {
      throw new EidosError(
        'invalid_option',
        `The layout '${layout}' has no place for the parameter '${name}'.`,
      );
    }
    if (value === undefined || value.data.length !== elementCount(shape)) {
      throw new EidosError(
        'invalid_option',
        `The parameter '${name}' ${value === undefined ? 'is missing' : `has ${value.data.length} numbers`}; [${shape}] is expected.`,
      );
    }
    const [index, parts] = place.part ?? [0, 1];
    let target = result.get(place.from);
    if (target === undefined) {
      const stored = publishedShape(shape, place);
      target = { shape: stored, data: new Float32Array(elementCount(stored)) };
      result.set(place.from, target);
    }
    const data = place.transposed === true ? transpose(value.data, shape[0] ?? 1, shape[1] ?? 1) : value.data;
    target.data.set(data, (index * target.data.length) / parts);
  }
  return result;
}

const floating: ReadonlySet<DataType> = new Set(['float64', 'float32', 'float16', 'bfloat16']);

function bindOne(
  name: string,
  shape: number[],
  place: Published,
  tensor: StoredTensor | undefined,
): BoundTensor {
  if (tensor === undefined) {
    throw new EidosError(
      'invalid_checkpoint',
      `The tensor '${place.from}' (${name}) is missing; the checkpoint is incomplete.`,
    );
  }
  if (!floating.has(tensor.type)) {
    throw new EidosError(
      'unsupported_checkpoint',
      `The tensor '${place.from}' is stored as ${tensor.type}; eidos reads weights in floating point and quantises them itself.`,
    );
  }
  const expected = publishedShape(shape, place);
  // A scalar may be stored as one element in a row.
  const scalar = expected.length === 0 && elementCount(tensor.shape) === 1 && tensor.shape.length <= 1;
  if (
    !scalar &&
    (tensor.shape.length !== expected.length || expected.some((size, axis) => size !== tensor.shape[axis]))
  ) {
    throw new EidosError(
      'invalid_checkpoint',
      `The tensor '${place.from}' has shape [${tensor.shape}]; the architecture asks for [${expected}].`,
    );
  }
  if (place.transposed === true) return { ...tensor, transposed: true };
  if (place.part === undefined) return reshape(tensor, shape);
  const [index, parts] = place.part;
  const rows = (tensor.shape[0] ?? 0) / parts;
  return reshape(sliceRows(tensor, index * rows, (index + 1) * rows), shape);
}

function publishedShape(shape: number[], place: Published): number[] {
  if (place.stored !== undefined) return place.stored;
  if (place.transposed === true) return shape.toReversed();
  if (place.part === undefined) return shape;
  return [(shape[0] ?? 1) * place.part[1], ...shape.slice(1)];
}
