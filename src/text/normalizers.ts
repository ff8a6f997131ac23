/** The `normalizer` of a `tokenizer.json`, step by step as Hugging Face's Rust library takes them. */
import { type CharacterMapWalk, readCharacterMap } from './character-map.ts';
import { literal } from './literal.ts';
import { lowerCase } from './rules.ts';
import { describe, invalidTokenizer, isObject, type JsonObject } from './vocabulary-json.ts';

/** Sequences within sequences; published files have one. */
const deepest = 16;

export type Normalizer = (text: string) => string;

/**
 * @param walk how the table of a `Precompiled` step is read
 * @throws EidosError `invalid_tokenizer` for a step that is not known or lacks something
 */
export function readNormalizerSteps(normalizer: unknown, walk: CharacterMapWalk, depth = 0): Normalizer {
  if (normalizer === null || normalizer === undefined) return (text) => text;
  if (!isObject(normalizer)) {
    throw invalidTokenizer('tokenizer.json', `normalizer is ${describe(normalizer)}, not an object.`);
  }
  if (normalizer.type === 'Sequence' && Array.isArray(normalizer.normalizers)) {
    if (depth >= deepest) throw invalidTokenizer('tokenizer.json', 'its normalizer is nested too deeply.');
    const steps = normalizer.normalizers.map((step) => readNormalizerSteps(step, walk, depth + 1));
    return (text) => steps.reduce((done, step) => step(done), text);
  }
  return readStep(normalizer, walk);
}

function readStep(step: JsonObject, walk: CharacterMapWalk): Normalizer {
  // The oldest files name no type: only the table tells.
  const type = step.type ?? ('precompiled_charsmap' in step ? 'Precompiled' : undefined);
  switch (type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => text.normalize(type as 'NFC');
    case 'Lowercase':
      return lowerCase;
    case 'StripAccents':
      return (text) => text.replace(/\p{Mn}/gu, '');
    case 'Strip': {
      const { strip_left: left = true, strip_right: right = true } = step;
      return (text) => {
        const begun = left === true ? text.replace(/^\p{White_Space}+/u, '') : text;
        return right === true ? trimEnd(begun) : begun;
      };
    }
    case 'Prepend': {
      const before = String(step.prepend ?? '');
      return (text) => (text === '' ? text : before + text);
    }
    case 'Replace': {
      const pattern = replaced(step.pattern);
      const content = String(step.content ?? '');
      return (text) => text.replace(pattern, () => content);
    }
    case 'Precompiled': {
      const packed = step.precompiled_charsmap;
      if (typeof packed !== 'string') {
        // Without a table nothing is changed.
        if (packed === null || packed === undefined) return (text) => text;
        throw invalidTokenizer('tokenizer.json', `precompiled_charsmap is ${describe(packed)}, not a text.`);
      }
      return readCharacterMap(packed, walk);
    }
    case 'BertNormalizer':
      return bertNormalizer(step);
  }
  throw invalidTokenizer(
    'tokenizer.json',
    `the normalizer has the step ${describe(step.type)}, which eidos does not know.`,
  );
}

/** As BERT's own code cleans (Devlin et al. 2019), in the Rust library's order and with its ranges of ideographs. */
function bertNormalizer(step: JsonObject): Normalizer {
  const { clean_text: clean = true, handle_chinese_chars: ideographs = true, lowercase: lower = true } = step;
  const strip = step.strip_accents ?? lower;
  return (text) => {
    let result = text;
    if (clean === true) {
      result = result
        .replace(/[\0\uFFFD]/g, '')
        .replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/gu, '')
        .replace(/\p{White_Space}/gu, ' ');
    }
    if (ideographs === true) result = result.replace(ideograph, ' $& ');
    if (strip === true) result = result.normalize('NFD').replace(/\p{Mn}/gu, '');
    return lower === true ? lowerCase(result) : result;
  };
}

const ideograph =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

function replaced(pattern: unknown): RegExp {
  const source = isObject(pattern) ? pattern.Regex : undefined;
  const text = isObject(pattern) ? pattern.String : undefined;
  if (typeof text === 'string') return new RegExp(literal(text), 'g');
  if (typeof source !== 'string') {
    throw invalidTokenizer(
      'tokenizer.json',
      `pattern is ${describe(pattern)}, which has no Regex or String.`,
    );
  }
  // The Rust library's \s is Unicode's white space; escapes of signs that need none are allowed there.
  const unicode = source.replaceAll('\\s', '\\p{White_Space}').replace(/\\(["#%&',:;<=>@_`~!])/g, '$1');
  const loose = unicode.includes('(?i:');
  try {
    // A group without regard to case: the whole pattern takes it over, which all published files mean.
    return new RegExp(unicode.replaceAll('(?i:', '(?:'), loose ? 'giu' : 'gu');
  } catch (cause) {
    throw invalidTokenizer(
      'tokenizer.json',
      `the pattern ${JSON.stringify(source.slice(0, 80))} is not understood.`,
      cause,
    );
  }
}

/** A loop: a pattern anchored at the end takes quadratic time on long runs inside. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /\p{White_Space}/u.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}
