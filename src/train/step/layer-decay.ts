/** Layer-wise decay of the learning rate: what lies near the pixels or words moves less (Bao et al. 2022, appendix). */

/**
 * By what the learning rate of each parameter is multiplied: decay^depth, where the depth of what follows the last block
 * is 0, of the last block 1, and of patches, words and positions one more than that of the first block. What belongs to
 * no tower has the factor 1.
 */
export function layerFactors(names: readonly string[], decay: number): Map<string, number> {
  const blocks = { image: new Map<string, number>(), text: new Map<string, number>() };
  for (const name of names) {
    const { tower, block } = placeOf(name);
    if (tower !== undefined && block !== undefined && !blocks[tower].has(block)) {
      blocks[tower].set(block, blocks[tower].size);
    }
  }
  return new Map(
    names.map((name) => {
      const { tower, block } = placeOf(name);
      if (tower === undefined) return [name, 1];
      const count = blocks[tower].size;
      if (block !== undefined) return [name, decay ** (count - blocks[tower].get(block)!)];
      return [name, afterBlocks.test(name) ? 1 : decay ** (count + 1)];
    }),
  );
}

/** What a tower does once its blocks are through. */
const afterBlocks = /^(image|text)\.(norm_after|pool|projection|attention_pool|head)\b/;

/** A tower's block by the beginning of its name: `image.blocks.3`, `image.stages.1.0` or `image.stages.1.downsample`. */
function placeOf(name: string): { tower: 'image' | 'text' | undefined; block: string | undefined } {
  const [, tower] = /^(image|text)\./.exec(name) ?? [];
  const [block] = /^(image|text)\.(blocks\.\d+|stages\.\d+\.\w+)\b/.exec(name) ?? [];
  return { tower: tower as 'image' | 'text' | undefined, block };
}
