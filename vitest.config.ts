import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The built package has a run of its own, `npm run test:package`: it installs from the registry.
    // So have the page's walks through a browser, `npm run test:web`: they build the page.
    exclude: ['test/package/**', 'test/web/browser/**'],
    testTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
