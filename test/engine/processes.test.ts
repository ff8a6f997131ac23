import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileSources, runScript } from './processes.ts';

let sources: string;
beforeAll(() => {
  sources = compileSources();
});
afterAll(() => rmSync(sources, { recursive: true, force: true }));

const imports = `
  import { compileGraph } from './src/engine/compile.js';
  import { createEngine } from './src/engine/engine.js';
  import { lower } from './src/engine/onnx/lower.js';
  import { ones } from './src/graph/initialise.js';
  import { gemm, input, matmul, multiply, parameter } from './src/graph/operations.js';
`;

test('an open engine does not keep the process alive, a run that is waited for does', async () => {
  const script = `${imports}
    const session = await createEngine({ threads: 1 }).compile(lower({ y: multiply(input('x', [2]), 2) }));
    const x = { type: 'float32', data: Float32Array.of(1, 2), shape: [2] };
    session.run({ x }, { fetches: ['y'] }).then(({ y }) => console.log(y.data.join()));
  `;
  expect(await runScript(sources, 'alive.js', script)).toEqual({ status: 0, output: '2,4' });
});

test('leaving the process during a run keeps the status and prints nothing', async () => {
  const script = `${imports}
    let y = input('x', [512, 512]);
    for (let i = 0; i < 100; i++) y = multiply(matmul(y, y), 1e-3);
    const session = await createEngine({ threads: 1 }).compile(lower({ y }));
    const x = { type: 'float32', data: new Float32Array(512 * 512), shape: [512, 512] };
    for (let i = 0; i < 20; i++) session.run({ x }, { fetches: ['y'] });
    setTimeout(() => process.exit(3), 100);
  `;
  expect(await runScript(sources, 'leave.js', script)).toEqual({ status: 3, output: '' });
});

test('two processes make the same cache at once', async () => {
  const cache = join(sources, 'cache');
  const script = `${imports}
    import { writeFileSync } from 'node:fs';
    const y = gemm(input('x', [1, 512]), parameter('w', [512, 512], ones), undefined, { transposeB: true });
    const location = { file: import.meta.dirname + '/weights', offset: 64 };
    const w = { name: 'w', type: 'float32', shape: [512, 512], byteLength: 2 ** 20, location };
    const engine = createEngine({ threads: 1, programCache: ${JSON.stringify(cache)} });
    const session = await compileGraph(engine, { y }, new Map([['w', w]]), { load: 'cached', dtype: 'int8' });
    const x = { type: 'float32', data: new Float32Array(512).fill(0.5), shape: [1, 512] };
    const result = await session.run({ x }, { fetches: ['y'] });
    console.log(session.load, result.y.data[7].toFixed(3));
  `;
  const write = `
    import { writeFileSync } from 'node:fs';
    writeFileSync('weights', new Uint8Array(new Float32Array(16 + 512 * 512).fill(1).buffer));
  `;
  await runScript(sources, 'write.js', write);
  const names = ['a.js', 'b.js', 'c.js'];
  const answers = await Promise.all(names.map((name) => runScript(sources, name, script)));
  for (const answer of answers) expect(answer).toEqual({ status: 0, output: 'cached 256.000' });
  expect(readdirSync(cache)).toHaveLength(1);
});
