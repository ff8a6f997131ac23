/** eidos as one side: files to normalised pixels, without a network. */
import { serve } from '../contestant.mjs';
import { pipelines } from '../eidos.mjs';

const { preprocessing } = JSON.parse(process.argv[2] ?? '{}');
const { preprocessImages } = await pipelines();

serve(async ({ files, batch, pixels }) => {
  for await (const { release } of preprocessImages(files, preprocessing, {
    batchSize: batch,
    resize: pixels,
  })) {
    release();
  }
});
