/** Tries a device by a tiny program, in a process of its own. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { encodeModel } from './onnx/encode.ts';
import { telemetrySwitch } from './worker.ts';

/** A driver that does not answer in this time is as good as none; the first start of CUDA takes some seconds. */
const timeLimit = 30_000;

/** The message with which the device fails, or undefined where it gives the right numbers. */
export function probeInProcess(device: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    // Not the parent's flags: a test runner's loaders or an inspector have no business there.
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('./probe-process.js', import.meta.url)), device],
      {
        stdio: ['pipe', 'pipe', 'ignore'],
        timeout: timeLimit,
        env: { ...process.env, NODE_OPTIONS: '', ELECTRON_RUN_AS_NODE: '1', [telemetrySwitch]: '1' },
        windowsHide: true,
      },
    );
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', (error) => resolve(`it could not be tried (${error.message})`));
    child.on('close', (code, signal) => resolve(judge(output, signal ?? `status ${code}`)));
    child.stdin.on('error', () => {}); // a process that ended early has its say through `close`
    child.stdin.end(doubling());
  });
}

function judge(output: string, ending: string): string | undefined {
  const answer = /^answer (.*)$/m.exec(output)?.[1];
  if (answer === undefined) return `its driver ended the process that tried it (${ending})`;
  const { numbers, error } = JSON.parse(answer) as { numbers?: number[]; error?: string };
  if (error !== undefined) return `onnxruntime says "${error}"`;
  const right = numbers?.length === 4 && numbers.every((number, i) => Math.abs(number - 2 * i) < 1e-2);
  return right ? undefined : `it computes wrong numbers (${numbers?.join(', ')})`;
}

/** y = x · 2I for x [2, 2]: a product with a constant matrix is what every device must have. */
function doubling(): Uint8Array {
  const matrix = new Uint8Array(Float32Array.of(2, 0, 0, 2).buffer);
  const shape = [2, 2];
  return encodeModel({
    nodes: [{ operator: 'MatMul', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: {} }],
    initializers: [{ name: 'w', type: 'float32', shape, data: matrix }],
    inputs: [{ name: 'x', type: 'float32', shape }],
    outputs: [{ name: 'y', type: 'float32', shape }],
  });
}
