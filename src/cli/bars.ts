/** Answers as people read them: a line a label with a bar. */

const barWidth = 24;
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Rows of label, bar and percentage, aligned to each other; probabilities from 0 to 1. */
export function barRows(rows: readonly { label: string; probability: number }[]): string {
  const width = Math.max(...rows.map(({ label }) => displayWidth(label)));
  return rows
    .map(({ label, probability }) => {
      const percentage = `${(100 * probability).toFixed(1)} %`.padStart(7);
      return `  ${label}${' '.repeat(width - displayWidth(label))}  ${bar(probability)} ${percentage}`;
    })
    .join('\n');
}

/** A share from 0 to 1 as a bar of fixed width, in eighths of a column. */
export function bar(share: number): string {
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * barWidth * 8);
  const text = '█'.repeat(Math.floor(filled / 8)) + eighths[filled % 8]!;
  return text.padEnd(barWidth, '·');
}

/** Columns that a terminal gives a text: wide East Asian characters and emoji take two, combining marks none. */
function displayWidth(text: string): number {
  let width = 0;
  for (const character of text.normalize('NFC')) {
    if (/\p{Mark}|\u200d/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}
