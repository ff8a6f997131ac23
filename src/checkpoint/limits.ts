/** How much a weight file may ask for, so that a hostile one fails early instead of taking memory or time. */

export const limits = {
  /** Bytes of a safetensors header: the format allows 100 MB, but as many tensors as are allowed here take 16. */
  headerBytes: 32 * 1024 * 1024,
  /** Bytes of a pickle: a model of two thousand tensors takes about 1 MB, with optimiser state a few. */
  pickleBytes: 64 * 1024 * 1024,
  /** Bytes of a JSON file (configuration, shard index): indexes of thousands of tensors take below 1 MB. */
  jsonBytes: 16 * 1024 * 1024,
  /** Tensors of a checkpoint: the largest CLIP has some 1,900, three times that with optimiser state. */
  tensors: 100_000,
  /** Axes of a tensor: weights have up to four, PyTorch itself stops at 64. */
  axes: 8,
  /** Characters of a tensor's name: published ones stay below 100. */
  nameLength: 1024,
  /** Files of a sharded checkpoint: Hugging Face splits at 5 GB, so this is 5 TB. */
  shards: 1024,
  /** Entries of a zip archive: one a tensor, and a few. */
  zipEntries: 50_000,
  /** Nesting of dictionaries and modules in a PyTorch file: OpenAI's deepest module is at nine. */
  depth: 64,
  /** Objects visited when a PyTorch file's dictionaries are walked; shared ones could multiply without end. */
  visited: 1_000_000,
  /** Positions of a text tower: published ones have up to 248, and an attention mask takes the square of it. */
  contextLength: 4096,
  /** Pixels of an image tower's side: published ones read up to 512. */
  imageSize: 8192,
  /** Width of a tower or its MLP: published ones have up to 15,360. */
  width: 131_072,
  /** Words of a vocabulary: the largest published one has 262,144. */
  vocabularySize: 4_194_304,
  /** Bytes of an integer in a pickle: legacy files begin with one of ten. */
  integerBytes: 64,
} as const;
