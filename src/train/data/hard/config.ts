/** `data.hardBatches` of a training's configuration: batches in which pictures are near one another. */
import { z } from 'zod';

export const hardBatchesSchema = z.strictObject({
  /** Share of each batch that is drawn in groups; the rest comes by chance alone. @default 0.5 */
  share: z.number().gt(0).max(1).default(0.5),
  /** Pictures of a group. @default 16 */
  group: z.int().min(2).max(4096).default(16),
  /**
   * What tells which pictures are near one another: `images`, the features of a locked image tower or else of the
   * teacher, of the whole picture; or `captions`, what textTeacher.command says of each picture's first words.
   * @default images
   */
  by: z.enum(['images', 'captions']).default('images'),
});
export type HardBatchesConfig = z.output<typeof hardBatchesSchema>;
