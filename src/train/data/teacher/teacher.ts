/** A teacher: a net that others have trained, whose features of a picture say more about it than its caption. */
import type { SquarePicture } from '../augment.ts';

export interface Teacher {
  /** Tells it apart from every other one: a hash of its weights and of what it is asked for. */
  fingerprint: string;
  /** Features a picture. */
  width: number;
  /** Side of the squares that it wants, given that of a tile; undefined for pictures of any size. */
  sideFor(tile: number | undefined): number;
  /** Whether square roots of features are compared, and whether their mean is taken away. */
  root: boolean;
  centre: boolean;
  /** Features [pictures, width] of squares of the side that it wants. */
  see(pictures: readonly SquarePicture[]): Promise<Float32Array>;
  close(): Promise<void>;
}
