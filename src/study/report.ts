/** A study as one page that needs nothing else, or as Markdown: bars with intervals, and the table under them. */
import { escapeHtml } from '../text/html.ts';
import type { PromptStudy } from './prompts.ts';

/** Self-contained HTML for `.html`, Markdown for everything else. */
export function promptReport(study: PromptStudy, model: string, kind: 'html' | 'markdown'): string {
  const heading = `Prompts on ${study.dataset} (${study.split}), ${model}`;
  const columns = ['prompt', 'accuracy', '95 %', 'difference to {}', 'p (Holm)', 'the paper'];
  const rows = study.prompts.map((one) => [
    one.template,
    percent(one.accuracy),
    `${percent(one.low)} – ${percent(one.high)}`,
    `${signed(one.difference)} (${signed(one.differenceInterval[0])} to ${signed(one.differenceInterval[1])})`,
    one.pHolm < 1e-4 ? '< 0.0001' : one.pHolm.toFixed(4),
    one.paper === undefined ? '' : percent(one.paper),
  ]);
  const { accuracy, low, high } = study.ensemble;
  const facts = [
    `${study.n} pictures. Best: "${study.best}". All prompts together: ${percent(accuracy)} % (${percent(low)} – ${percent(high)}).`,
    'Intervals of accuracies are Wilson’s; differences are over the same pictures, their intervals by paired resampling, their p-values by McNemar’s exact test, corrected after Holm. The paper’s figures are of openai/clip-vit-base-patch32 on CIFAR-10.',
    ...(study.normalize === 'classes'
      ? [
          'Text embeddings are divided by their lengths over the classes (axis 0), as in the paper’s own code.',
        ]
      : []),
  ];
  const classes = study.winners.map((one) => [one.class, one.template, percent(one.accuracy)]);
  if (kind === 'markdown') {
    return `# ${heading}\n\n${markdownTable(columns, rows)}\n\n${facts.join('\n\n')}\n\n## Which prompt names a class best\n\n${markdownTable(['class', 'prompt', 'accuracy'], classes)}\n`;
  }
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(heading)}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}svg{width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:currentColor}</style>
<h1>${escapeHtml(heading)}</h1>
${chart(study)}
${htmlTable(columns, rows)}
${facts.map((fact) => `<p>${escapeHtml(fact)}</p>`).join('\n')}
<h2>Which prompt names a class best</h2>
${htmlTable(['class', 'prompt', 'accuracy'], classes)}
</html>
`;
}

const percent = (share: number): string => (100 * share).toFixed(1);
const signed = (share: number): string => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)}`;

/** A bar a prompt, with its interval, and the paper's figure as a ring. */
function chart({ prompts }: PromptStudy): string {
  const [left, width, step] = [290, 560, 26];
  const low = Math.min(...prompts.map((one) => Math.min(one.low, one.paper ?? 1)));
  const high = Math.max(...prompts.map((one) => Math.max(one.high, one.paper ?? 0)));
  const from = Math.max(0, low - 0.1 * (high - low));
  const x = (share: number): number => left + (width * (share - from)) / (high - from || 1);
  const bars = prompts.map((one, at) => {
    const y = 8 + at * step;
    const middle = y + 9;
    const ring =
      one.paper === undefined
        ? ''
        : `<circle cx="${x(one.paper).toFixed(1)}" cy="${middle}" r="5" fill="none" stroke="#e66101" stroke-width="2"/>`;
    return `<text x="${left - 8}" y="${middle + 4}" text-anchor="end">${escapeHtml(one.template)}</text>
<rect x="${left}" y="${y}" width="${(x(one.accuracy) - left).toFixed(1)}" height="18" fill="#2c7bb6"/>
<line x1="${x(one.low).toFixed(1)}" x2="${x(one.high).toFixed(1)}" y1="${middle}" y2="${middle}" stroke="currentColor" stroke-width="2"/>${ring}`;
  });
  const height = 16 + prompts.length * step;
  return `<svg viewBox="0 0 ${left + width + 20} ${height + 20}" role="img" aria-label="Accuracy of each prompt with its interval; rings are the paper's figures">
${bars.join('\n')}
<text x="${left}" y="${height + 14}">${percent(from)} %</text><text x="${left + width}" y="${height + 14}" text-anchor="end">${percent(high)} %</text>
</svg>`;
}

const htmlTable = (columns: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<table><tr>${columns.map((one) => `<th>${escapeHtml(one)}</th>`).join('')}</tr>
${rows.map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`).join('\n')}</table>`;

const markdownTable = (columns: readonly string[], rows: readonly (readonly string[])[]): string =>
  [columns, columns.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
