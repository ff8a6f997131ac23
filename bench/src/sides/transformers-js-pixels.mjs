/** transformers.js as the other side: files to normalised pixels, without a network. */
import { serve } from '../contestant.mjs';
import { transformersJs } from '../transformers-js.mjs';

const { model } = JSON.parse(process.argv[2] ?? '{}');
const { peer, name } = await transformersJs(model);
const processor = await peer.AutoProcessor.from_pretrained(name);

serve(async ({ files, batch }) => {
  for (let start = 0; start < files.length; start += batch) {
    const paths = files.slice(start, start + batch);
    await processor(await Promise.all(paths.map((/** @type {string} */ path) => peer.RawImage.read(path))));
  }
});
