/** Tar shards without an index, as webdataset writes them: the files of a sample share a name, see shard-samples.ts. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createPartReader } from '../places.ts';
import { keepTrainingSplit, partCalled } from '../splits.ts';
import { readTarIndex, type TarMember } from '../tar-index.ts';
import type { BrokenSample, FormReader, FoundPicture } from './form.ts';
import { readSample, type SampleFiles } from './samples.ts';
import { type ShardSample, shardSamples } from './shard-samples.ts';

export const tarShards: FormReader = {
  description:
    'tar shards of KEY.jpg with KEY.txt, KEY.json or KEY.cls (a folder of them, or a pattern like train-{000..015}.tar)',

  async recognise(path) {
    const status = await stat(path).catch(() => undefined);
    if (status?.isDirectory()) return (await readdir(path)).some((file) => file.endsWith('.tar'));
    return path.endsWith('.tar');
  },

  async find({ paths, split, languages }) {
    const pictures: FoundPicture[] = [];
    const broken: BrokenSample[] = [];
    const reader = createPartReader();
    try {
      for (const shard of chooseShards((await Promise.all(paths.map(shardsOf))).flat(), split)) {
        const { members, cutOffAt } = await readTarIndex(shard);
        const placeOf = ({ offset, length }: TarMember) =>
          ({ kind: 'part', path: shard, offset, length }) as const;
        const filesOf = ({ key, picture, texts }: ShardSample<TarMember>): SampleFiles => ({
          name: key,
          ...(picture === undefined ? {} : { picture: placeOf(picture) }),
          texts: new Map(
            [...texts].map(([extension, text]) => [extension, () => reader.read(placeOf(text))]),
          ),
        });
        if (cutOffAt !== undefined) broken.push({ name: shard, reason: `it is cut off at byte ${cutOffAt}` });
        for (const sample of shardSamples(members)) {
          const found =
            'reason' in sample ? sample : await readSample(filesOf(sample), pictures.length, languages);
          if ('reason' in found) broken.push({ ...found, name: `${found.name} in ${shard}` });
          else pictures.push({ ...found, name: `${found.name} in ${shard}` });
        }
      }
    } finally {
      await reader.close();
    }
    return { pictures, broken };
  },
};

/** The shards of the part for training, in every folder for itself. */
function chooseShards(shards: readonly string[], split: string | undefined): string[] {
  const folders = [...new Set(shards.map((shard) => dirname(shard)))];
  return folders.flatMap((folder) => {
    const own = shards.filter((shard) => dirname(shard) === folder);
    return keepTrainingSplit(own, partOfShard, split, folder);
  });
}

/** The part that a shard is named after, in its first word or its last: `test-000.tar`, `flickr-validation_3.tar`. */
function partOfShard(shard: string): string | undefined {
  const words = basename(shard, '.tar')
    .split(/[^a-z]+/i)
    .filter((word) => word !== '');
  return partCalled(words[0]) ?? partCalled(words.at(-1));
}

async function shardsOf(path: string): Promise<string[]> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() !== true) return [path];
  return (await readdir(path))
    .filter((file) => file.endsWith('.tar'))
    .sort()
    .map((file) => join(path, file));
}
