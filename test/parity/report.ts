/** Writes the report of parity as Markdown. */
import type { ParityCheck, Unit } from './check.ts';
import { chapters, notCompared } from './table.ts';

/** A claim and what was measured. */
export interface Measured {
  check: ParityCheck;
  difference: number;
}

export type Verdict = 'met' | 'cannot be met' | 'exceeded';

export function verdictOf({ check, difference }: Measured): Verdict {
  if (difference <= check.tolerance) return 'met';
  return check.unmet === undefined ? 'exceeded' : 'cannot be met';
}

/** @param machine what computed the numbers, in words. */
export function parityReport(measured: readonly Measured[], machine: string): string {
  const count = (verdict: Verdict): number => measured.filter((one) => verdictOf(one) === verdict).length;
  const exceeded = count('exceeded');
  const lines = [
    '# Parity with the original code',
    '',
    'Every row is a number that openai/CLIP, open_clip, Hugging Face’s transformers or their companions computed with',
    'PyTorch, and that eidos computes from the same weights and inputs. The difference is the largest of all elements; a',
    'row is met where it is at most the tolerance, which the README beside the numbers states. `npm test` asserts each',
    'row: those of the numbers in [test/fixtures](../test/fixtures/README.md) on any machine, the others where the whole',
    'set lies beside the clone. `npm run parity` writes this file anew.',
    '',
    `**${measured.length} claims: ${count('met')} met, ${count('cannot be met')} that cannot be met (reason given)${
      exceeded > 0 ? `, ${exceeded} EXCEEDED` : ''
    }.** Measured on ${machine}.`,
  ];
  for (const { title, about, checks } of chapters) {
    lines.push('', `## ${title}`, about, '');
    lines.push(
      '| folder | what | largest difference | tolerance | verdict |',
      '| --- | --- | ---: | ---: | --- |',
    );
    for (const check of checks) {
      const one = measured.find((candidate) => candidate.check === check);
      if (one !== undefined) lines.push(row(one));
    }
  }
  lines.push('', '## Not compared', '', '| what | why |', '| --- | --- |');
  for (const { where, why } of notCompared) lines.push(`| ${where} | ${why} |`);
  return `${lines.join('\n')}\n`;
}

/** The beginning of a row, by which a test finds a claim in the report. */
export function rowStart({ folder, what }: ParityCheck): string {
  return `| \`${folder}\` | ${what} |`;
}

function row(one: Measured): string {
  const { check, difference } = one;
  const verdict = verdictOf(one);
  const reason = verdict === 'cannot be met' ? `cannot be met: ${check.unmet}` : verdict;
  const { tolerance, unit = 'absolute' } = check;
  return `${rowStart(check)} ${amount(difference, unit)} | ${limit(tolerance, unit)} | ${reason} |`;
}

function limit(tolerance: number, unit: Unit): string {
  if (unit === 'cases') return tolerance === 0 ? 'exact' : `${tolerance}`;
  return unit === 'absolute' ? amount(tolerance, unit) : `${amount(tolerance, unit)} ${unit}`;
}

function amount(value: number, unit: Unit): string {
  if (unit === 'cases' || value === 0 || !Number.isFinite(value)) return `${value}`;
  if (unit === 'of 255' || unit === 'of 255 on average' || value >= 0.01)
    return `${Number(value.toPrecision(2))}`;
  return value.toExponential(1).replace('.0e', 'e');
}
