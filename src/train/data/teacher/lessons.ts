/** What a teacher has to say about all sources: measured or read, with the mean that is taken away. */
import { join } from 'node:path';
import { defaultCacheFolder } from '../../../engine/cache-folder.ts';
import { EidosError } from '../../../errors.ts';
import type { DataConfig, SourceConfig, TeacherConfig } from '../config.ts';
import type { SquareReader } from '../pixels.ts';
import { readablePictures } from '../readable.ts';
import type { Source } from '../source.ts';
import { type FeatureFile, type FeatureTransform, meanFeatures, openMeasuredFeatures } from './features.ts';
import { measureFeatures } from './measure.ts';
import { openTeacher } from './open-teacher.ts';
import type { Teacher } from './teacher.ts';

export interface Lessons {
  /** Features a picture. */
  width: number;
  /** One file a source, where the teacher has something to say of it. */
  files: (FeatureFile | undefined)[];
  transform: FeatureTransform;
  cropArea: readonly [number, number];
}

export interface LessonOptions {
  reader: SquareReader;
  signal?: AbortSignal | undefined;
  onProgress?: (source: string, done: number, total: number) => void;
}

/**
 * Measures what is not measured yet.
 * @returns the lessons, and the sources without pictures that the teacher could not read
 * @throws EidosError `not_found`, `config_mismatch`, `invalid_option`, `write_failed`, `engine_failed`, `aborted`
 */
export async function openLessons(
  config: DataConfig & { teacher: TeacherConfig },
  sources: readonly Source[],
  { reader, signal, onProgress }: LessonOptions,
): Promise<{ lessons: Lessons; sources: Source[] }> {
  const own = config.teacher;
  const { model } = own;
  const teacher = model === undefined ? undefined : await openTeacher({ ...own, model });
  try {
    const width = teacher?.width ?? own.width;
    if (width === undefined) {
      throw new EidosError(
        'invalid_option',
        'teacher.width is missing: without teacher.model it says how wide features are.',
      );
    }
    const folder =
      own.cache ??
      (config.cache === undefined ? defaultCacheFolder('pictures') : join(config.cache, 'teacher'));
    const lessonOf = async (
      source: Source,
      path: SourceConfig['features'],
    ): Promise<{ file?: FeatureFile; source: Source }> => {
      if (path === false) return { source };
      if (path !== undefined) {
        const rows = source.pictures.map(({ row }) => row);
        return { file: await openMeasuredFeatures(path, width, rows), source };
      }
      const { file, broken } = await measureFeatures(source, requireTeacher(teacher, source.name), {
        folder,
        config: own,
        reader,
        signal,
        onProgress: (done, total) => onProgress?.(source.name, done, total),
      });
      const unread = new Set(broken);
      const left = readablePictures(source, (at) => !unread.has(at), 'the teacher could not read it');
      return { file: { ...file, places: left.places }, source: left.source };
    };
    const files: Lessons['files'] = [];
    const readable: Source[] = [];
    for (const [at, source] of sources.entries()) {
      const lesson = await lessonOf(source, config.sources[at]!.features);
      files.push(lesson.file);
      readable.push(lesson.source);
    }
    const root = own.root ?? teacher?.root ?? true;
    const centre = own.centre ?? teacher?.centre ?? true;
    const known = files.filter((file) => file !== undefined);
    const mean = centre && known.length > 0 ? await meanFeatures(known, root) : undefined;
    return {
      lessons: { width, files, transform: { root, mean }, cropArea: own.cropArea },
      sources: readable,
    };
  } finally {
    await teacher?.close();
  }
}

function requireTeacher(teacher: Teacher | undefined, source: string): Teacher {
  if (teacher !== undefined) return teacher;
  throw new EidosError(
    'invalid_option',
    `The source "${source}" has no features: name their file as its "features", a teacher.model that measures them, or say "features": false.`,
  );
}
