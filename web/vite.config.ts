/** How the page is built: into web/dist, with every font and script beside it, for `eidos serve` to hand out. */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  // Relative addresses, so that the page also works behind a proxy that puts it into a folder.
  base: './',
  build: {
    target: 'es2022',
    // A font or picture as a data URI would ask for a wider content security policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 800,
    // The licences of what is bundled travel with it.
    license: { fileName: 'licences.md' },
  },
  server: {
    host: '127.0.0.1',
    // `npm run dev` in web/: the page with live reloading, its data from an `eidos serve` beside it.
    proxy: { '/v1': process.env.EIDOS_SERVER ?? 'http://127.0.0.1:3456' },
  },
});
