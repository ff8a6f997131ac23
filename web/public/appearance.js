// Sets light or dark before the first paint, so that the page never flashes; a file, since inline scripts are forbidden.
(() => {
  let chosen = 'auto';
  try {
    chosen = localStorage.getItem('eidos-appearance') ?? 'auto';
  } catch {
    // storage switched off: the system's choice
  }
  const dark =
    chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
