/** transformers.js as the other side: pictures to embeddings. */
import { availableParallelism } from 'node:os';
import { peakMegabytes, serve } from '../contestant.mjs';
import { transformersJs } from '../transformers-js.mjs';

const { model } = JSON.parse(process.argv[2] ?? '{}');
const { peer, name } = await transformersJs(model);
const processor = await peer.AutoProcessor.from_pretrained(name);
const network = await peer.CLIPVisionModelWithProjection.from_pretrained(name, {
  dtype: 'fp32',
  device: 'cpu',
  session_options: { intraOpNumThreads: availableParallelism() },
});

serve(async ({ files, batch, wanted }) => {
  if (wanted === 'peak') return peakMegabytes();
  /** @type {number[]} */
  const embeddings = [];
  for (let start = 0; start < files.length; start += batch) {
    const paths = files.slice(start, start + batch);
    const images = await Promise.all(paths.map((/** @type {string} */ path) => peer.RawImage.read(path)));
    const { image_embeds: embeds } = await network(await processor(images));
    if (wanted === 'embeddings') embeddings.push(...Array.from(embeds?.data ?? [], Number));
  }
  return wanted === 'embeddings' ? embeddings : undefined;
});
