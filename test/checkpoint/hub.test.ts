/** Models fetched from a hub of the tests' own: shared cache, resumption, checksums, refusals. No other network is used. */
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type DownloadProgress,
  type HubOptions,
  openCheckpoint,
  resolveModel,
} from '../../src/checkpoint/index.ts';
import { sharedFixtures } from '../fixtures.ts';
import { checksum, type HubModel, type HubServer, startHub } from './hub-server.ts';

const commit = 'a'.repeat(40);
const bytes = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 255);
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const weights = bytes(300_000, 1);
const plain: HubModel = {
  commit,
  files: {
    'README.md': text('read me'),
    'config.json': text({ model_type: 'clip' }),
    'preprocessor_config.json': text({ size: 224 }),
    'tokenizer.json': text({}),
    'model.safetensors': weights,
    'pytorch_model.bin': bytes(5000, 2),
    'tf_model.h5': bytes(5000, 3),
  },
  large: ['model.safetensors', 'pytorch_model.bin', 'tf_model.h5'],
};
const sharded: HubModel = {
  commit: 'b'.repeat(40),
  files: {
    'config.json': text({}),
    'tokenizer.json': text({}),
    'model.safetensors.index.json': text({
      weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' },
    }),
    'model-1.safetensors': bytes(1000, 4),
    'model-2.safetensors': bytes(2000, 5),
  },
  large: ['model-1.safetensors', 'model-2.safetensors'],
};
const models: Record<string, HubModel> = {
  'owner/plain': plain,
  'owner/sharded': sharded,
  'owner/empty': { commit, files: { 'tf_model.h5': bytes(10, 6) }, large: [] },
  'owner/old': {
    commit,
    files: { 'config.json': text({}), 'open_clip_pytorch_model.bin': bytes(100, 7) },
    large: [],
  },
};

let hub: HubServer;
let hubCache: string;
const kept = { ...process.env };

beforeAll(async () => {
  hub = await startHub(models);
});
afterAll(() => hub.close());
beforeEach(() => {
  hubCache = mkdtempSync(join(tmpdir(), 'eidos-hub-'));
  hub.misbehave = {};
  hub.requests.length = 0;
  for (const name of [
    'HF_TOKEN',
    'HUGGING_FACE_HUB_TOKEN',
    'HF_HUB_OFFLINE',
    'HF_HUB_CACHE',
    'HUGGINGFACE_HUB_CACHE',
  ]) {
    delete process.env[name];
  }
  process.env.HF_HOME = hubCache;
});
afterEach(() => {
  rmSync(hubCache, { recursive: true });
  process.env = { ...kept };
});

const options = (more: HubOptions = {}): HubOptions => ({ endpoint: hub.endpoint, hubCache, ...more });
const fileRequests = () => hub.requests.filter(({ url }) => url.includes('/resolve/'));
const partial = () =>
  join(hubCache, 'models--owner--plain', 'blobs', `${checksum(weights, 'sha256')}.incomplete`);

describe('a model of the hub', () => {
  test('comes with its configuration, tokenizer and one set of weights, in the layout of the shared cache', async () => {
    const folder = await resolveModel('owner/plain', options());
    const root = join(hubCache, 'models--owner--plain');
    expect(folder).toBe(join(root, 'snapshots', commit));
    expect(readdirSync(folder).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'preprocessor_config.json',
      'tokenizer.json',
    ]);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(lstatSync(join(folder, 'model.safetensors')).isSymbolicLink()).toBe(true);
    expect(realpathSync(join(folder, 'model.safetensors'))).toBe(
      realpathSync(join(root, 'blobs', checksum(weights, 'sha256'))),
    );
    expect(realpathSync(join(folder, 'config.json'))).toMatch(
      new RegExp(`${checksum(plain.files['config.json']!, 'git')}$`),
    );
    expect(readFileSync(join(root, 'refs', 'main'), 'utf8')).toBe(commit);
    expect(readdirSync(join(root, 'blobs')).filter((name) => /incomplete|lock/.test(name))).toEqual([]);
  });

  test('is taken from the cache without a single request the second time, and offline', async () => {
    const folder = await resolveModel('owner/plain', options());
    hub.requests.length = 0;
    expect(await resolveModel('hf-hub:owner/plain', options())).toBe(folder);
    expect(await resolveModel(`owner/plain@${commit}`, options())).toBe(folder);
    expect(await resolveModel('owner/plain', options({ offline: true }))).toBe(folder);
    expect(hub.requests).toEqual([]);
    await resolveModel('owner/plain', options({ refresh: true }));
    expect(hub.requests.length).toBeGreaterThan(0);
    expect(fileRequests()).toEqual([]);
  });

  test('is taken from a cache that another tool filled, and only completed', async () => {
    const first = await resolveModel('owner/plain', options());
    rmSync(join(first, 'tokenizer.json'));
    rmSync(join(hubCache, 'models--owner--plain', 'blobs', checksum(plain.files['tokenizer.json']!, 'git')));
    hub.requests.length = 0;
    await resolveModel('owner/plain', options());
    expect(fileRequests().map(({ url }) => url)).toEqual([`/owner/plain/resolve/${commit}/tokenizer.json`]);
  });

  test('sharded weights bring all their shards', async () => {
    const folder = await resolveModel('owner/sharded', options());
    expect(readdirSync(folder)).toEqual(
      expect.arrayContaining(['model-1.safetensors', 'model-2.safetensors']),
    );
    rmSync(join(folder, 'model-2.safetensors'));
    await expect(resolveModel('owner/sharded', options({ offline: true }))).rejects.toMatchObject({
      code: 'offline',
    });
  });

  test('PyTorch weights are taken where there are no others, and none is an error', async () => {
    expect(readdirSync(await resolveModel('owner/old', options()))).toContain('open_clip_pytorch_model.bin');
    await expect(resolveModel('owner/empty', options())).rejects.toMatchObject({
      code: 'unsupported_checkpoint',
    });
  });

  test('progress rises to the end and knows its total', async () => {
    const seen: DownloadProgress[] = [];
    await resolveModel('owner/plain', options({ onProgress: (progress) => seen.push(progress) }));
    const overall = seen.map(({ overallLoadedBytes }) => overallLoadedBytes);
    expect(overall).toEqual([...overall].sort((a, b) => a - b));
    const last = seen.at(-1)!;
    expect(last).toMatchObject({
      file: 'model.safetensors',
      loadedBytes: weights.length,
      totalBytes: weights.length,
    });
    expect(last.overallLoadedBytes).toBe(last.overallTotalBytes);
  });

  test.skipIf(sharedFixtures === undefined)('opens: files are given by their real paths', async () => {
    const file = (name: string) => readFileSync(`${sharedFixtures}vit-tiny-hf/${name}`);
    models['owner/tiny'] = {
      commit,
      files: { 'config.json': file('config.json'), 'model.safetensors': file('model.safetensors') },
      large: ['model.safetensors'],
    };
    const checkpoint = await openCheckpoint(await resolveModel('owner/tiny', options()));
    expect(checkpoint.layout).toBe('hugging_face_clip');
    expect(checkpoint.files[0]).toContain('/blobs/');
  });
});

describe('transfers that go wrong', () => {
  test('an interrupted one is continued where it broke off, in the same call', async () => {
    hub.misbehave.cut = { file: 'model.safetensors', after: 65536, times: 2 };
    const seen: number[] = [];
    const folder = await resolveModel(
      'owner/plain',
      options({ onProgress: ({ overallLoadedBytes }) => seen.push(overallLoadedBytes) }),
    );
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    const ranges = fileRequests()
      .filter(({ url }) => url.endsWith('model.safetensors'))
      .map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=65536-', 'bytes=131072-']);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test('or in the next call, with what the first one brought', async () => {
    const controller = new AbortController();
    const stop = ({ file, loadedBytes }: DownloadProgress) => {
      if (file === 'model.safetensors' && loadedBytes >= 65536) controller.abort();
    };
    hub.misbehave.cut = { file: 'model.safetensors', after: 65536, times: 1 };
    await expect(
      resolveModel('owner/plain', options({ signal: controller.signal, onProgress: stop })),
    ).rejects.toMatchObject({ code: 'aborted' });
    expect(readFileSync(partial()).length).toBe(65536);
    hub.requests.length = 0;
    const folder = await resolveModel('owner/plain', options());
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(fileRequests().find(({ url }) => url.endsWith('model.safetensors'))?.range).toBe('bytes=65536-');
  });

  test('a server without ranges sends all again', async () => {
    hub.misbehave = { cut: { file: 'model.safetensors', after: 65536, times: 1 }, noRanges: true };
    const folder = await resolveModel('owner/plain', options());
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
  });

  test('a damaged partial file is found out and fetched again', async () => {
    const folder = join(hubCache, 'models--owner--plain', 'blobs');
    rmSync(folder, { recursive: true, force: true });
    await resolveModel('owner/plain', options());
    rmSync(realpathSync(join(hubCache, 'models--owner--plain', 'snapshots', commit, 'model.safetensors')));
    writeFileSync(
      partial(),
      weights.subarray(0, 1000).map((byte) => byte ^ 1),
    );
    const again = await resolveModel('owner/plain', options());
    expect(readFileSync(join(again, 'model.safetensors')).equals(weights)).toBe(true);
  });

  test('a partial file longer than the whole is begun anew', async () => {
    await resolveModel('owner/plain', options());
    rmSync(realpathSync(join(hubCache, 'models--owner--plain', 'snapshots', commit, 'model.safetensors')));
    writeFileSync(partial(), bytes(400_000, 9));
    const again = await resolveModel('owner/plain', options());
    expect(readFileSync(join(again, 'model.safetensors')).equals(weights)).toBe(true);
  });

  test.each(['model.safetensors', 'config.json'])(
    'wrong bytes of %s are refused and not kept',
    async (name) => {
      hub.misbehave.corrupt = name;
      await expect(resolveModel('owner/plain', options())).rejects.toMatchObject({
        code: 'checksum_mismatch',
        message: expect.stringContaining(`'${name}'`),
      });
      const left = readdirSync(join(hubCache, 'models--owner--plain', 'blobs'));
      expect(left.filter((file) => /incomplete|lock/.test(file))).toEqual([]);
      expect(existsSync(join(hubCache, 'models--owner--plain', 'snapshots', commit, name))).toBe(false);
    },
  );

  test('a busy server is asked again', async () => {
    hub.misbehave.busy = 2;
    await resolveModel('owner/plain', options());
    expect(fileRequests().length).toBe(6);
  });

  test('the cache is where the environment says', async () => {
    const { hubCache: _, ...others } = options();
    expect(await resolveModel('owner/plain', others)).toContain(
      join(hubCache, 'hub', 'models--owner--plain'),
    );
    process.env.HF_HUB_CACHE = join(hubCache, 'elsewhere');
    expect(await resolveModel('owner/plain', others)).toContain(join(hubCache, 'elsewhere'));
  });

  test('a lock that a dead process left is taken over', async () => {
    await resolveModel('owner/plain', options());
    rmSync(realpathSync(join(hubCache, 'models--owner--plain', 'snapshots', commit, 'model.safetensors')));
    const lock = `${partial()}.lock`;
    // Beyond the largest number of a process on any system.
    writeFileSync(lock, `${hostname()} 2147483647 a`);
    await resolveModel('owner/plain', options());
    expect(existsSync(lock)).toBe(false);
  });

  test('a cache that cannot be written says so', async () => {
    const occupied = join(hubCache, 'occupied');
    writeFileSync(occupied, '');
    await expect(resolveModel('owner/plain', options({ hubCache: occupied }))).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('HF_HUB_CACHE'),
    });
    await expect(resolveModel('owner/plain', options({ endpoint: 'nowhere' }))).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });

  test('two at once fetch it once', async () => {
    const both = await Promise.all([
      resolveModel('owner/plain', options()),
      resolveModel('owner/plain', options()),
    ]);
    expect(both[0]).toBe(both[1]);
    expect(fileRequests().filter(({ url }) => url.endsWith('model.safetensors')).length).toBe(1);
  });

  test('a redirect to another host is followed, without the token', async () => {
    hub.misbehave = { redirect: true, token: 'secret' };
    await resolveModel('owner/plain', options({ token: 'secret' }));
    const stored = hub.requests.filter(({ url }) => url.startsWith('/storage/'));
    expect(stored.length).toBe(4);
    expect(stored.every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});

describe('refusals say what to do', () => {
  test('unknown model, unknown revision, private model', async () => {
    await expect(resolveModel('owner/nothing', options())).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('owner/nothing'),
    });
    await expect(resolveModel('owner/plain@v9', options())).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining("'v9'"),
    });
    hub.misbehave.token = 'secret';
    await expect(resolveModel('owner/plain', options())).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('HF_TOKEN'),
    });
    process.env.HF_TOKEN = 'secret';
    expect(await resolveModel('owner/plain', options())).toContain(commit);
  });

  test.each([
    [{ status: 403, code: 'GatedRepo' }, 'accept its terms'],
    [{ status: 401, code: 'GatedRepo' }, 'accept its terms'],
    [{ status: 401 }, 'HF_TOKEN'],
    [{ status: 500 }, '500'],
  ])('status %o', async (status, hint) => {
    hub.misbehave.status = status;
    await expect(resolveModel('owner/plain', options())).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining(hint),
    });
  });

  test('offline, by option or by environment, without a request', async () => {
    await expect(resolveModel('owner/plain', options({ offline: true }))).rejects.toMatchObject({
      code: 'offline',
    });
    process.env.HF_HUB_OFFLINE = '1';
    await expect(resolveModel('owner/plain', options())).rejects.toMatchObject({ code: 'offline' });
    expect(hub.requests).toEqual([]);
  });

  test('an unreachable hub, unless the cache has it', async () => {
    const nobody = options({ endpoint: 'http://127.0.0.1:9' });
    await expect(resolveModel('owner/plain', nobody)).rejects.toMatchObject({ code: 'download_failed' });
    const folder = await resolveModel('owner/plain', options());
    expect(await resolveModel('owner/plain', { ...nobody, refresh: true })).toBe(folder);
  });

  test('paths, and what is neither path nor model', async () => {
    expect(await resolveModel(hubCache, options())).toBe(hubCache);
    await expect(resolveModel('./owner/plain', options())).rejects.toMatchObject({ code: 'not_found' });
    await expect(resolveModel('../owner', options())).rejects.toMatchObject({ code: 'not_found' });
    await expect(resolveModel('hf-hub:../..', options())).rejects.toMatchObject({ code: 'invalid_option' });
    await expect(resolveModel('owner/plain', options({ revision: '../../x' }))).rejects.toMatchObject({
      code: 'invalid_option',
    });
    expect(hub.requests).toEqual([]);
  });

  test('names in a listing cannot lead out of the cache', async () => {
    models['owner/evil'] = {
      commit,
      files: { '../../evil.safetensors': bytes(10, 1), 'config.json': text({}) },
      large: [],
    };
    await expect(resolveModel('owner/evil', options())).rejects.toMatchObject({
      code: 'unsupported_checkpoint',
    });
  });
});
