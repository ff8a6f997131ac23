/** A thread that reads, decodes and augments the pictures of batches, so that nobody else waits for it. */
import { parentPort, workerData } from 'node:worker_threads';
import { createSquareReader, type PixelRequest, type PixelSettings, readPixels } from './pixels.ts';

/** What the thread is told; `undefined` in place of requests ends it. */
export interface WorkerRequest {
  call: number;
  requests: PixelRequest[] | undefined;
}

const settings = workerData as PixelSettings;
const reader = createSquareReader();

parentPort?.on('message', async ({ call, requests }: WorkerRequest) => {
  if (requests === undefined) {
    await reader.close();
    parentPort?.close();
    return;
  }
  try {
    const answer = await readPixels(reader, requests, settings);
    parentPort?.postMessage({ call, answer }, [answer.data.buffer]);
  } catch (error) {
    parentPort?.postMessage({ call, error: error instanceof Error ? error.message : String(error) });
  }
});
