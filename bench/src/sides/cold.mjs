/** One side from nothing to its first embedding: `node cold.mjs '{"side": …, "model": …, "file": …}'`, then it ends. */
const { side, ...setup } = JSON.parse(process.argv[2] ?? '{}');

if (side === 'eidos') {
  const { library } = await import('../eidos.mjs');
  const { loadClip } = await library();
  const clip = await loadClip(setup.model, { load: setup.load });
  await clip.embedImages(setup.file);
} else {
  const { transformersJs } = await import('../transformers-js.mjs');
  const { peer, name } = await transformersJs(setup.model);
  const [processor, network] = await Promise.all([
    peer.AutoProcessor.from_pretrained(name),
    peer.CLIPVisionModelWithProjection.from_pretrained(name, { dtype: 'fp32', device: 'cpu' }),
  ]);
  await network(await processor([await peer.RawImage.read(setup.file)]));
}
const { user, system } = process.cpuUsage();
process.stdout.write(JSON.stringify({ cpuSeconds: (user + system) / 1e6 }), () => process.exit());
