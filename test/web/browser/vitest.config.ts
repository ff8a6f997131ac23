import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    // One browser at a time is enough for a small machine.
    fileParallelism: false,
    // Starting a browser can take long where much else is going on.
    hookTimeout: 180_000,
  },
});
