/** Tar archives of training pictures: the reader of the room `image`. */
export { type ArchiveEntry, readArchive } from '../../image/archive.ts';
