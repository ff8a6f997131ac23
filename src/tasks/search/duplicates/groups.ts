/**
 * Copies of one picture among many: files of the same bytes, or pictures of the same perceptual hash. What the model makes
 * of them does not tell: small changes of a small picture move its embedding further than another picture is away. A group
 * grows only by what is a copy of all that is in it, so that it does not lead from one picture to another over what lies
 * between them (complete linkage).
 */
import { type HashedPicture, isSamePicture, meansTolerance } from '../../../image/perceptual-hash.ts';

export interface CopyCandidate {
  row: number;
  /** SHA-256 of the file's bytes, however it is written. */
  file: string;
  /** Undefined where there is no perceptual hash: copies of it are those of the same bytes. */
  picture: HashedPicture | undefined;
}

export interface CopyGroup {
  rows: number[];
  /** The cosine of the two that are least alike; 1 for files of the same bytes. */
  similarity: number;
}

/**
 * @param cosine of the pictures in two rows; it is asked for only where their perceptual hashes agree
 * @param least the smallest cosine of two copies, where that is to count, too
 * @returns groups of two and more
 */
export async function groupCopies(
  candidates: readonly CopyCandidate[],
  cosine: (a: number, b: number) => number | Promise<number>,
  least = -1,
): Promise<CopyGroup[]> {
  const files = groupFiles(candidates);
  const nearby = createGrid<Growing>();
  for (const file of files) {
    const { picture } = file;
    if (picture === undefined) continue;
    const around = new Set(nearby.around(picture));
    const best = await bestGroup(around, file, cosine, least);
    const group = best?.group ?? { members: [], similarity: 1 };
    group.members.push(file);
    group.similarity = Math.min(group.similarity, best?.similarity ?? 1);
    file.group = group;
    nearby.add(picture, group);
  }
  const groups = new Set(files.map((file) => file.group ?? { members: [file], similarity: 1 }));
  return [...groups]
    .map(({ members, similarity }) => ({ rows: members.flatMap(({ rows }) => rows), similarity }))
    .filter(({ rows }) => rows.length > 1);
}

/** Rows of files with the same bytes. */
interface SameFile {
  rows: number[];
  picture: HashedPicture | undefined;
  group?: Growing;
}

interface Growing {
  members: SameFile[];
  similarity: number;
}

function groupFiles(candidates: readonly CopyCandidate[]): SameFile[] {
  const files = new Map<string, SameFile>();
  for (const { row, file, picture } of candidates) {
    const known = files.get(file);
    if (known === undefined) files.set(file, { rows: [row], picture });
    else {
      known.rows.push(row);
      known.picture ??= picture;
    }
  }
  return [...files.values()];
}

/** Of the groups whose members all are copies of the file, the one whose least alike is most alike. */
async function bestGroup(
  groups: Iterable<Growing>,
  file: SameFile,
  cosine: (a: number, b: number) => number | Promise<number>,
  least: number,
): Promise<{ group: Growing; similarity: number } | undefined> {
  let best: { group: Growing; similarity: number } | undefined;
  for (const group of groups) {
    if (!group.members.every(({ picture }) => isSamePicture(picture!, file.picture!))) continue;
    let similarity = 1;
    for (const { rows } of group.members) {
      similarity = Math.min(similarity, await cosine(rows[0]!, file.rows[0]!));
      if (similarity < least) break;
    }
    if (similarity >= least && (best === undefined || similarity > best.similarity))
      best = { group, similarity };
  }
  return best;
}

/** Things by the means of a picture's hash: copies lie in the same cell or in one beside it. */
function createGrid<Thing>() {
  const cells = new Map<string, Thing[]>();
  const cellOf = ({ means }: HashedPicture): [number, number, number] => {
    const [all, across, down] = means;
    return [all, across, down].map((mean) => Math.floor(mean / meansTolerance)) as [number, number, number];
  };
  return {
    add(picture: HashedPicture, thing: Thing): void {
      const key = cellOf(picture).join(' ');
      const cell = cells.get(key);
      if (cell === undefined) cells.set(key, [thing]);
      else cell.push(thing);
    },
    *around(picture: HashedPicture): Generator<Thing> {
      const [x, y, z] = cellOf(picture);
      for (const i of [-1, 0, 1]) {
        for (const j of [-1, 0, 1]) {
          for (const k of [-1, 0, 1]) yield* cells.get(`${x + i} ${y + j} ${z + k}`) ?? [];
        }
      }
    },
  };
}
