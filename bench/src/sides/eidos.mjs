/** eidos as one side: pictures to embeddings. */
import { peakMegabytes, serve } from '../contestant.mjs';
import { library } from '../eidos.mjs';

const { model, dtype = 'fp32', load = 'fast-run' } = JSON.parse(process.argv[2] ?? '{}');
const { loadClip } = await library();
const clip = await loadClip(model, { dtype, load });

serve(
  async ({ files, batch, pixels = 'exact', wanted }) => {
    if (wanted === 'peak') return peakMegabytes();
    /** @type {import('../../../src/index.ts').Embeddings[]} */
    const parts = [];
    if (batch === 1) {
      // One call a picture: nothing can be prepared ahead.
      for (const file of files) parts.push(await clip.embedImages(file, { resize: pixels }));
    } else parts.push(await clip.embedImages(files, { batchSize: batch, resize: pixels }));
    return wanted === 'embeddings' ? parts.flatMap(({ data }) => [...data]) : undefined;
  },
  () => clip.close(),
);
