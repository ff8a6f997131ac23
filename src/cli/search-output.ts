/** What a search has found, as people, programs and other commands read it. */
import type { IndexedPicture, SearchAnswer, SearchHit, SearchIndex } from '../tasks/search/types.ts';
import { bar } from './bars.ts';
import { shownPath } from './index-options.ts';
import { fileLink, showsLinks, withoutControls } from './terminal/links.ts';
import { type PreviewProtocol, previewProtocol } from './terminal/protocols.ts';

export interface OutputOptions {
  json?: boolean;
  /** Paths alone, a line each, or each with a zero byte behind it. */
  paths?: boolean;
  null?: boolean;
  /** False for none. @default the terminal's own */
  preview?: PreviewProtocol | false;
}

/** Prints the hits, best first. */
export async function printHits(
  index: SearchIndex,
  { hits }: Pick<SearchAnswer, 'hits'>,
  options: OutputOptions,
): Promise<void> {
  if (options.json) for (const hit of hits) process.stdout.write(`${JSON.stringify(inOrder(hit))}\n`);
  else if (wantsPaths(options)) await printPaths(index, hits, options);
  else {
    for (const hit of hits) {
      const { probability, copies = [] } = hit;
      const percentage = `${(100 * probability).toFixed(1)} %`.padStart(7);
      const others = copies.length === 0 ? '' : ` (and ${counted(copies.length)})`;
      const picture = await previewOf(index, hit, options);
      const name = await linkedName(index, hit);
      process.stdout.write(`${picture}  ${bar(probability)} ${percentage}  ${name}${others}\n`);
    }
  }
}

/** Prints groups of copies, with the figure of the two that are least alike. */
export async function printGroups(
  index: SearchIndex,
  groups: readonly { similarity: number; pictures: readonly IndexedPicture[] }[],
  options: OutputOptions,
): Promise<void> {
  for (const [i, { similarity, pictures }] of groups.entries()) {
    if (options.json) process.stdout.write(`${JSON.stringify({ similarity, pictures })}\n`);
    else if (wantsPaths(options)) {
      if (i > 0 && !options.null) process.stdout.write('\n');
      await printPaths(index, pictures, options);
    } else {
      process.stdout.write(`${similarity.toFixed(3)}\n`);
      for (const picture of pictures) process.stdout.write(`  ${await linkedName(index, picture)}\n`);
      process.stdout.write('\n');
    }
  }
}

function wantsPaths({ paths, null: zero }: OutputOptions): boolean {
  return paths === true || zero === true;
}

/** As the bytes that they are, so that other commands find the files. */
async function printPaths(
  index: SearchIndex,
  pictures: readonly IndexedPicture[],
  options: OutputOptions,
): Promise<void> {
  for (const { id } of pictures) {
    process.stdout.write(await index.pathBytes(id));
    process.stdout.write(options.null ? '\0' : '\n');
  }
}

/** The fields of the contract first. */
function inOrder({ image, similarity, probability, ...rest }: SearchHit): object {
  return { image, similarity, probability, ...rest };
}

function counted(copies: number): string {
  return copies === 1 ? '1 copy' : `${copies} copies`;
}

async function linkedName(index: SearchIndex, { id, image }: IndexedPicture): Promise<string> {
  const name = withoutControls(shownPath(image));
  return showsLinks(process.stdout) ? fileLink(name, await index.pathBytes(id)) : name;
}

/** Nothing where the terminal shows no pictures, or this one cannot be read any more. */
async function previewOf(
  index: SearchIndex,
  { id, image }: IndexedPicture,
  { preview: wanted = previewProtocol(process.stdout) ?? false }: OutputOptions,
): Promise<string> {
  if (wanted === false) return '';
  const { preview } = await import('./terminal/preview.ts');
  try {
    return await preview(await index.readPicture(id), wanted, image);
  } catch {
    return '';
  }
}
