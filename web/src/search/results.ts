/** What is looked for, and the pictures that answer it, a page at a time. */
import { keepPreviousData, type QueryClient, useQuery } from '@tanstack/react-query';
import type { Hit, Picture } from '../../../src/client/index.ts';
import type { LocalPicture } from '../local-picture.ts';
import { server } from '../server.ts';
import { pageSize } from './measures.ts';

export interface Look {
  /** Trimmed; with `picture` undefined and no words every picture is shown. */
  words: string;
  picture: LocalPicture | undefined;
  /** The closest pictures, however little they fit. */
  closest: boolean;
}

/** A picture of the index; `probability` where something was looked for. */
export type Result = Picture & Partial<Pick<Hit, 'probability' | 'similarity'>>;

export interface ResultPage {
  /** What this page answers. While somebody types it may lag behind what is looked for now. */
  look: Look;
  results: Result[];
  /** Of all pages. */
  total: number;
  nothingFits: boolean;
}

export function isEverything({ words, picture }: Look): boolean {
  return words === '' && picture === undefined;
}

/** The same for looks that ask the same. */
export function keyOf({ words, picture, closest }: Look): readonly unknown[] {
  return ['results', words, picture?.key ?? null, closest];
}

/** The first page; until it is there the one before stays, so that nothing flickers while somebody types. */
export function useFirstPage(look: Look) {
  return useQuery({ ...pageQuery(look, 0), placeholderData: keepPreviousData });
}

export function usePage(look: Look, page: number) {
  return useQuery(pageQuery(look, page));
}

/** The pictures before and after one, as far as their pages were looked at. */
export function neighboursOf(
  queries: QueryClient,
  look: Look,
  id: string,
): { previous?: Result | undefined; next?: Result | undefined } {
  const pages = queries.getQueriesData<ResultPage>({ queryKey: keyOf(look) });
  const inOrder = pages
    .flatMap(([key, data]) =>
      data === undefined ? [] : [{ page: Number(key.at(-1)), results: data.results }],
    )
    .sort((a, b) => a.page - b.page);
  const place = new Map(
    inOrder.flatMap(({ page, results }) => results.map((result, i) => [page * pageSize + i, result])),
  );
  for (const [at, result] of place) {
    if (result.id === id) return { previous: place.get(at - 1), next: place.get(at + 1) };
  }
  return {};
}

function pageQuery(look: Look, page: number) {
  return {
    queryKey: [...keyOf(look), page],
    queryFn: ({ signal }: { signal: AbortSignal }) => fetchPage(look, page, signal),
  };
}

async function fetchPage(look: Look, page: number, signal: AbortSignal): Promise<ResultPage> {
  const window = { topK: pageSize, offset: page * pageSize };
  if (isEverything(look)) {
    const { pictures, total } = await server.pictures({ ...window, signal });
    return { look, results: pictures, total, nothingFits: false };
  }
  const { hits, total, nothingFits } = await server.search(
    {
      ...window,
      ...(look.words === '' ? {} : { q: look.words }),
      ...(look.picture === undefined ? {} : { image: look.picture.data }),
      ...(look.closest ? { cutOff: false } : {}),
    },
    { signal },
  );
  return { look, results: hits, total, nothingFits };
}
