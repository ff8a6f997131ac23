/** Web pictures in squares of 256 pixels with white borders, each with a `.json` that has its sentence and first size. */
import { photograph } from '../picture.mjs';

const side = 256;

/** Sentences that say nothing of the picture. */
const useless = /^(?:\W*|(?:image|photo|picture|img|untitled|n\/a)\W*\d*)$/i;

/** @type {import('../sources.mjs').Reading} */
export async function* read(tree) {
  const notes = tree.paths.filter((path) => /^data\/0000\d\/\d+\.json$/.test(path));
  /** @type {Map<string, { caption: string, original_width: number, original_height: number }>} */
  const known = new Map();
  for await (const { path, bytes } of tree.read(notes))
    known.set(path.slice(0, -5), JSON.parse(bytes.toString('utf8')));
  const wanted = [...known].filter(
    ([, { caption }]) => typeof caption === 'string' && !useless.test(caption),
  );
  for await (const { path, bytes } of tree.read(wanted.map(([key]) => `${key}.jpg`))) {
    const { caption, original_width: width, original_height: height } = known.get(path.slice(0, -4)) ?? {};
    if (caption === undefined || !width || !height) continue;
    // The borders are what the picture lacks to a square.
    const scale = side / Math.max(width, height);
    const inner = {
      width: Math.max(1, Math.round(width * scale)),
      height: Math.max(1, Math.round(height * scale)),
    };
    const cut = {
      left: Math.floor((side - inner.width) / 2),
      top: Math.floor((side - inner.height) / 2),
      ...inner,
    };
    const name = path.replace(/^.*\/|\.jpg$/g, '');
    yield { name, picture: () => photograph(bytes, cut), words: { en: caption.replace(/\s+/g, ' ').trim() } };
  }
}
