/**
 * Started by probe.ts with a device's name and a program on its input: runs it there and prints `answer {…}`.
 * Only the one provider is asked for: of several, onnxruntime drops those it does not have without a word.
 */
import * as ort from 'onnxruntime-node';

/** @type {Buffer[]} */
const parts = [];
for await (const part of process.stdin) parts.push(part);

/** @type {{ numbers?: number[], error?: string }} */
let answer;
try {
  const session = await ort.InferenceSession.create(new Uint8Array(Buffer.concat(parts)), {
    executionProviders: [/** @type {string} */ (process.argv[2])],
    logSeverityLevel: 4,
  });
  const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(0, 1, 2, 3), [2, 2]) });
  answer = { numbers: Array.from(/** @type {Float32Array} */ (y?.data)) };
} catch (error) {
  answer = { error: firstLine(error instanceof Error ? error.message : String(error)) };
}
process.stdout.write(`\nanswer ${JSON.stringify(answer)}\n`);

/**
 * onnxruntime's messages begin with the place in its sources, which helps nobody here.
 * @param {string} message
 */
function firstLine(message) {
  const line = message.split('\n')[0] ?? '';
  return line.replace(/^\S*onnxruntime_src\S* .*? was false\. /, '').slice(0, 300);
}
