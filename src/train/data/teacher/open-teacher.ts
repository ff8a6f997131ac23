/** Opens the teacher that a configuration names. */
import { stat } from 'node:fs/promises';
import { EidosError } from '../../../errors.ts';
import type { TeacherConfig } from '../config.ts';
import { openClipTeacher } from './clip-teacher.ts';
import { openOnnxTeacher } from './onnx-teacher.ts';
import type { Teacher } from './teacher.ts';

/**
 * An ONNX file, or else a CLIP model.
 * @throws EidosError `not_found`, `engine_failed`, `config_mismatch` where it gives other features than expected
 */
export async function openTeacher(config: TeacherConfig & { model: string }): Promise<Teacher> {
  if ((await stat(config.model).catch(() => undefined)) === undefined) {
    throw new EidosError(
      'not_found',
      `The teacher ${config.model} is not there: name an ONNX file or a CLIP folder.`,
    );
  }
  const open = /\.onnx$/i.test(config.model) ? openOnnxTeacher : openClipTeacher;
  const teacher = await open(config).catch((cause: unknown) => {
    if (!(cause instanceof EidosError) || cause.message.includes(config.model)) throw cause;
    throw new EidosError(cause.code, `The teacher ${config.model} cannot be opened: ${cause.message}`, {
      cause,
    });
  });
  if (config.width === undefined || config.width === teacher.width) return teacher;
  await teacher.close();
  throw new EidosError(
    'config_mismatch',
    `The teacher ${config.model} gives ${teacher.width} features a picture, and teacher.width is ${config.width}.`,
  );
}
