/** Looks shapes up by name and says what is missing or contradictory in terms of tensors and fields. */
import { EidosError } from '../../errors.ts';
import type { Sides } from '../../models/architecture.ts';
import { heightAndWidth } from '../../models/sides.ts';

export interface ShapeTable {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  has(name: string): boolean;
  /** The shape of a tensor that must be there, with so many axes. */
  shape(name: string, axes: number): readonly number[];
  /** One axis of it. */
  axis(name: string, axes: number, index: number): number;
  /** How many numbered modules follow a prefix such as `transformer.resblocks.`; at least one. */
  blocks(prefix: string): number;
}

export function shapeTable(shapes: ReadonlyMap<string, readonly number[]>): ShapeTable {
  const shape = (name: string, axes: number): readonly number[] => {
    const found = shapes.get(name);
    if (found === undefined) {
      throw new EidosError(
        'invalid_checkpoint',
        `The tensor '${name}' is missing; the checkpoint is incomplete.`,
      );
    }
    if (found.length !== axes || found.some((size) => size < 1)) {
      throw new EidosError(
        'invalid_checkpoint',
        `The tensor '${name}' has shape [${found}] where ${axes} axes are expected.`,
      );
    }
    return found;
  };
  return {
    shapes,
    has: (name) => shapes.has(name),
    shape,
    axis: (name, axes, index) => shape(name, axes)[index] ?? 0,
    blocks(prefix) {
      // Distinct numbers are counted (not the highest taken), so that a made-up number costs nothing; a gap is found
      // when the parameters are looked up one by one.
      const numbers = new Set<string>();
      for (const name of shapes.keys()) {
        if (!name.startsWith(prefix)) continue;
        const number = /^\d+(?=\.)/.exec(name.slice(prefix.length));
        if (number !== null) numbers.add(number[0]);
      }
      if (numbers.size === 0) {
        throw new EidosError(
          'invalid_checkpoint',
          `No tensor '${prefix}0.…' is there; the checkpoint is incomplete.`,
        );
      }
      return numbers.size;
    },
  };
}

/** The side of a square of `count` patches. */
export function gridSide(count: number, name: string): number {
  const side = Math.round(Math.sqrt(count));
  if (side < 1 || side * side !== count) {
    throw new EidosError(
      'unsupported_checkpoint',
      `'${name}' has positions for ${count} patches, which make no square; eidos reads models of square pictures.`,
    );
  }
  return side;
}

/**
 * The side of the pictures. A convolution leaves out what is less than a patch at the edge, so 384 pixels in patches of
 * 14 are 27 patches; only the configuration (or `usual`) knows of the rest.
 */
export function imageSide(
  table: ShapeTable,
  field: string,
  configured: number | undefined,
  grid: { side: number; patchSize: number; tensor: string; usual?: number },
): number {
  const covered = grid.side * grid.patchSize;
  const size = configured ?? grid.usual ?? covered;
  if (Math.floor(size / grid.patchSize) !== grid.side) agree(table, field, size, covered, grid.tensor);
  return size;
}

/**
 * The sides of the pictures that have so many places for patches; squares where the configuration says nothing else.
 * @throws EidosError `config_mismatch`, `unsupported_checkpoint`
 */
export function imageSides(
  table: ShapeTable,
  field: string,
  configured: Sides | undefined,
  grid: { places: number; patchSize: Sides; tensor: string; usual?: number },
): Sides {
  const { places, patchSize, tensor } = grid;
  const [height, width] = heightAndWidth(configured ?? 0);
  const [patchHeight, patchWidth] = heightAndWidth(patchSize);
  if (height === width && patchHeight === patchWidth) {
    const side = configured === undefined ? undefined : height;
    return imageSide(table, field, side, {
      ...grid,
      side: gridSide(places, tensor),
      patchSize: patchHeight,
    });
  }
  if (configured === undefined) {
    throw new EidosError(
      'config_mismatch',
      `The patches are ${patchHeight} × ${patchWidth} pixels: how many rows the ${places} places of '${tensor}' are in, only a configuration beside the weights tells.`,
    );
  }
  const whole = Math.floor(height / patchHeight) * Math.floor(width / patchWidth);
  agree(table, `${field} (places for patches)`, whole, places, tensor);
  return height === width ? height : [height, width];
}

/** What a configuration says, which has to be what the weights show: a field, its value, the value of a tensor. */
export function agree(
  table: ShapeTable,
  field: string,
  configured: number | boolean | string | undefined,
  found: number | boolean | string,
  tensor: string,
): void {
  if (configured === undefined || configured === found) return;
  const shape = table.shapes.get(tensor);
  const seen = shape === undefined ? `there is no tensor '${tensor}'` : `'${tensor}' has shape [${shape}]`;
  throw new EidosError(
    'config_mismatch',
    `The configuration says ${field} = ${configured}, but ${seen}, which means ${found}. Weights and configuration are of different models.`,
  );
}

/** Attention heads, which must divide the width. */
export function headsDividing(width: number, heads: number, field: string): number {
  if (!Number.isInteger(heads) || heads < 1 || width % heads !== 0) {
    throw new EidosError(
      'config_mismatch',
      `${field} gives ${heads} attention heads, which do not divide the width ${width}.`,
    );
  }
  return heads;
}
