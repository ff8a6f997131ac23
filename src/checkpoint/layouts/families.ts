/** Models that eidos knows by sight and does not have, so that the error can say what the file is. */

interface Family {
  name: string;
  /** A tensor name that no other family has. */
  sign: RegExp;
  /** What no tensor of it is called. */
  without?: RegExp;
}

const families: readonly Family[] = [
  { name: 'an OWL-ViT, which finds things in pictures', sign: /^(owlv2|owlvit|class_head)\b/ },
  { name: 'CLAP, whose first tower hears', sign: /^audio_model\./ },
  { name: 'ALIGN', sign: /^vision_model\.encoder\.blocks\.\d+\.depthwise_conv\./ },
  { name: 'GroupViT', sign: /^vision_model\.encoder\.stages\./ },
  {
    name: 'an image tower of CLIP without its text tower',
    sign: /^(vision_model\.|(visual\.)?(class_embedding$|attnpool\.))/,
    without: /token_embedding|^text|^visual\.trunk\./,
  },
  { name: 'a CLIP with a timm image tower', sign: /^visual\.trunk\./ },
  {
    name: 'a CLIP with a text tower of Hugging Face (BERT, RoBERTa, T5 …)',
    sign: /^text\.transformer\.(embeddings|encoder|shared)\./,
  },
  { name: 'Chinese CLIP', sign: /^(bert\.|text_model\.encoder\.layer\.\d+\.attention\.self\.)/ },
  { name: 'BLIP', sign: /^(text_decoder\.bert|text_encoder\.encoder\.layer|visual_encoder\.)/ },
  { name: 'BLIP-2', sign: /^qformer\./ },
  {
    name: 'SigLIP 2 of variable resolution (NaFlex)',
    sign: /^vision_model\.embeddings\.patch_embedding\.(weight|bias)$/,
  },
  { name: 'a text tower of CLIP without its image tower', sign: /^text_model\.|^transformer\.resblocks\./ },
];

/** The family of a checkpoint that no layout recognises, or undefined. */
export function unsupportedFamily(names: Iterable<string>): string | undefined {
  const all = [...names];
  return families.find(
    ({ sign, without }) =>
      all.some((name) => sign.test(name)) && !all.some((name) => without?.test(name) === true),
  )?.name;
}
