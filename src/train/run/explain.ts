/** Says what is wrong with a configuration in words: the field, what it may be, and what was probably meant. */
import { z } from 'zod';
import { EidosError } from '../../errors.ts';

type Issue = z.core.$ZodIssue;

/**
 * Checks a value against a schema and fills in its defaults.
 * @param origin where the value comes from, for messages: a path, or `the configuration`
 * @throws EidosError `invalid_option` that names every field that is wrong
 */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  origin: string,
): z.output<Schema> {
  const { data, error } = schema.safeParse(value, { error: listKnown, reportInput: true });
  if (error === undefined) return data;
  const faults = describeAll(error.issues, []);
  throw new EidosError('invalid_option', `${origin}: ${[...new Set(faults)].join(' ')}`);
}

/** Only the schema itself knows which fields and kinds there are: they travel in the message of a wrong one. */
function listKnown(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'unrecognized_keys' && issue.inst instanceof z.ZodObject) {
    return Object.keys(issue.inst.shape).join(' ');
  }
  if (issue.code === 'invalid_union' && issue.inst instanceof z.ZodDiscriminatedUnion) {
    const { propValues, def } = issue.inst._zod;
    // A kind that may be left out is no name.
    return [...(propValues[def.discriminator] ?? [])].filter((kind) => kind !== undefined).join(' ');
  }
  if (issue.code === 'invalid_type' && issue.inst instanceof z.ZodObject && issue.input !== undefined) {
    return Object.keys(issue.inst.shape).join(' ');
  }
  if (issue.code === 'invalid_union' && issue.inst instanceof z.ZodUnion) {
    const { options } = issue.inst;
    const fields = options.map((option) =>
      option instanceof z.ZodObject ? Object.keys(option.shape).join('+') : '',
    );
    return fields.every((some) => some !== '') ? fields.join(' ') : undefined;
  }
  return undefined;
}

/** What listKnown has put into a message; nothing where the message is Zod's own. */
function listedIn({ message }: Issue): string[] | undefined {
  return message.startsWith('Invalid input') ? undefined : message.split(' ');
}

function ofFields(fields: readonly string[] | undefined): string {
  return fields === undefined ? '' : ` of ${fields.join(', ')}`;
}

function describeAll(issues: readonly Issue[], above: readonly PropertyKey[]): string[] {
  const misspelt = new Set(
    issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => nearest(key, issue.message.split(' ')))
        : [],
    ),
  );
  // A field that is missing because it is misspelt is one fault, not two.
  return issues
    .filter((issue) => !(isMissing(issue) && misspelt.has(String(issue.path.at(-1)))))
    .map((issue) => describe(issue, [...above, ...issue.path]));
}

function describe(
  issue: Issue,
  path: readonly PropertyKey[],
  place = path.length === 0 ? 'the whole' : `"${path.join('.')}"`,
): string {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.message.split(' ');
      return issue.keys.map((key) => describeUnknown(key, known, path)).join(' ');
    }
    case 'invalid_union':
      return describeUnion(issue, path, place);
    case 'invalid_value':
      return mustBeOneOf(place, issue.values, issue.input);
    case 'invalid_type':
      if (isMissing(issue)) return `${place} is missing; it is ${withArticle(issue.expected)}.`;
      return `${place} must be ${withArticle(issue.expected)}${ofFields(listedIn(issue))}.`;
    case 'invalid_key':
      return issue.issues
        .map((inner) => describe(inner, path, `"${String(path.at(-1))}" in "${path.slice(0, -1).join('.')}"`))
        .join(' ');
    default:
      return `${place}: ${/[.?!]$/.test(issue.message) ? issue.message : `${issue.message}.`}`;
  }
}

function mustBeOneOf(place: string, values: readonly unknown[], given: unknown): string {
  const shown = values.map((value) => JSON.stringify(value) ?? String(value));
  const meant = nearest(String(given), values.map(String));
  const list = `${place} must be ${shown.length > 1 ? 'one of ' : ''}${shown.join(', ')}`;
  return meant === undefined ? `${list}.` : `${list}; did you mean "${meant}"?`;
}

/** A field that no variant has, with those that any of them has. */
function unknownEverywhere(
  variants: readonly (readonly Issue[])[],
): { key: string; known: string[] } | undefined {
  const unknown = variants.map((issues) =>
    issues.find((inner) => inner.code === 'unrecognized_keys' && inner.path.length === 0),
  );
  const key = unknown[0]?.code === 'unrecognized_keys' ? unknown[0].keys[0] : undefined;
  const isEverywhere = unknown.every(
    (inner) => inner?.code === 'unrecognized_keys' && inner.keys.includes(key ?? ''),
  );
  if (key === undefined || !isEverywhere) return undefined;
  return { key, known: [...new Set(unknown.flatMap((inner) => inner!.message.split(' ')))] };
}

function describeUnknown(key: string, known: readonly string[], path: readonly PropertyKey[]): string {
  const meant = nearest(key, known);
  const place = [...path, key].join('.');
  return meant === undefined
    ? `"${place}" is no field; there are ${known.join(', ')}.`
    : `"${place}" is no field; did you mean "${meant}"?`;
}

/** The faults of the variant that the value comes nearest to: the one with the fewest. */
function describeUnion(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: readonly PropertyKey[],
  place: string,
): string {
  if (issue.errors.length === 0) {
    const { input } = issue;
    const given = typeof input === 'object' && input !== null ? Reflect.get(input, path.at(-1) ?? '') : input;
    return mustBeOneOf(place, issue.message.split(' '), given);
  }
  const objects = describeObjects(issue, place);
  if (objects !== undefined) return objects;
  const nowhere = unknownEverywhere(issue.errors);
  if (nowhere !== undefined) return describeUnknown(nowhere.key, nowhere.known, path);
  const inside = issue.errors
    .filter((issues) => issues.some((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'))
    .map((issues) => describeAll(issues, path));
  const best = inside.sort((a, b) => a.length - b.length)[0];
  if (best !== undefined) return best.join(' ');
  const wanted = issue.errors
    .flat()
    .flatMap((inner) => (inner.code === 'invalid_type' ? [withArticle(inner.expected)] : []));
  return wanted.length > 0
    ? `${place} must be ${[...new Set(wanted)].join(' or ')}.`
    : `${place}: none of its forms fits.`;
}

/** Where all variants are objects: that there is none, or that it has fields of several. */
function describeObjects(issue: Extract<Issue, { code: 'invalid_union' }>, place: string) {
  const { input } = issue;
  const variants = listedIn(issue)?.map((fields) => fields.split('+'));
  if (variants === undefined) return undefined;
  const quoted = (fields: readonly string[]): string => fields.map((field) => `"${field}"`).join(' and ');
  const wanted = `an object with ${[...new Set(variants.map(quoted))].join(' or ')}`;
  if (input === undefined) return `${place} is missing; it is ${wanted}.`;
  if (typeof input !== 'object' || input === null) return `${place} must be ${wanted}.`;
  const given = Object.keys(input);
  const isMixed =
    given.every((key) => variants.flat().includes(key)) &&
    !variants.some((fields) => given.every((key) => fields.includes(key)));
  return isMixed ? `${place} has ${quoted(given)}, which exclude each other: leave one away.` : undefined;
}

function isMissing(issue: Issue): boolean {
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
}

function withArticle(type: string): string {
  if (type === 'int') return 'a whole number';
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** The known word that differs least, if it differs in no more than a third of its letters. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(1, Math.floor(best.candidate.length / 3))
    ? best.candidate
    : undefined;
}

/** Letters to insert, delete, exchange or swap with the next one (Damerau 1964) to make one word the other. */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const exchanged = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const areSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swapped = areSwapped ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(exchanged, swapped, row[j]! + 1, next[j - 1]! + 1));
    }
    [before, row] = [row, next];
  }
  return row[to.length]!;
}
