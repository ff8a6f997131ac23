/** A teacher from the folder of a CLIP model: its image embeddings. */
import { loadClip } from '../../../clip/load.ts';
import { squareSide } from '../../../models/sides.ts';
import type { TeacherConfig } from '../config.ts';
import type { Teacher } from './teacher.ts';

/** @throws EidosError what loadClip throws */
export async function openClipTeacher(config: TeacherConfig & { model: string }): Promise<Teacher> {
  const clip = await loadClip(config.model);
  const size = squareSide(clip.config.preprocessing.size, 'a teacher');
  return {
    fingerprint: clip.config.fingerprint.slice(0, 16),
    width: clip.embeddingSize,
    sideFor: () => size,
    root: config.root ?? false,
    centre: config.centre ?? false,
    async see(pictures) {
      const images = pictures.map(({ data, side }) => ({
        data,
        width: side,
        height: side,
        channels: 3 as const,
      }));
      return (await clip.embedImages(images)).data;
    },
    close: () => clip.close(),
  };
}
