/** The path of a model for commands that read it without running it. */

/** A folder or file, the bundled model without a source; a hub id is brought into the cache first. */
export async function localModel(
  source: string | undefined,
  options: { offline?: boolean },
): Promise<string> {
  const { bundledFolder, bundledModel } = await import('../clip/load.ts');
  if (source === undefined || source === bundledModel) return bundledFolder();
  const { resolveModel } = await import('../checkpoint/hub/resolve.ts');
  return resolveModel(source, options.offline ? { offline: true } : {});
}
