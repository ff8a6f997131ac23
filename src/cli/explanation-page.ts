/** An explanation as one page that needs nothing else: the picture, its map, words tinted by effect, and figures. */
import type { Explanation } from '../tasks/explain/index.ts';
import { escapeHtml } from '../text/html.ts';

export function explanationPage(
  answer: Explanation,
  drawn: { overlay: Buffer; original: Buffer; width: number; height: number },
): string {
  const { text, against, similarity, method, where, words, concepts, conceptsExplain, faithfulness } = answer;
  const largest = Math.max(...words.map(({ effect }) => Math.abs(effect)), 1e-6);
  const tinted = words
    .map(({ word, effect }) => {
      const colour = effect < 0 ? '44,123,182' : '230,97,1';
      const share = (Math.abs(effect) / largest) * 0.6;
      return `<span title="${effect.toFixed(3)}" style="background:rgba(${colour},${share.toFixed(2)})">${escapeHtml(word)}</span>`;
    })
    .join(' ');
  const question =
    against === undefined
      ? `“${escapeHtml(text)}”`
      : `“${escapeHtml(text)}” rather than “${escapeHtml(against)}”`;
  const picture = (bytes: Buffer, alt: string): string =>
    `<img alt="${escapeHtml(alt)}" width="${drawn.width}" height="${drawn.height}" src="data:image/png;base64,${bytes.toString('base64')}">`;
  const spread = Math.max(...answer.map.values.map(Math.abs));
  const test =
    faithfulness === undefined
      ? ''
      : `<h2>Put to the test</h2>
<table><tr><th></th><th>this map</th><th>random order</th></tr>
<tr><th>places appear (higher is truer)</th><td>${faithfulness.insertion.toFixed(3)}</td><td>${faithfulness.randomInsertion.toFixed(3)} (${faithfulness.randomInsertionInterval.map((one) => one.toFixed(3)).join(' to ')})</td></tr>
<tr><th>places disappear (lower is truer)</th><td>${faithfulness.deletion.toFixed(3)}</td><td>${faithfulness.randomDeletion.toFixed(3)} (${faithfulness.randomDeletionInterval.map((one) => one.toFixed(3)).join(' to ')})</td></tr></table>
${faithfulness.betterThanRandom ? '' : '<p><strong>No better than a random order of places: this map explains nothing.</strong></p>'}`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Why ${question}?</title>
<style>
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:84rem;margin:2rem auto;padding:0 1rem}
figure{display:inline-block;margin:0 1rem 1rem 0}
img{max-width:100%;height:auto}
td,th{padding:.2rem 1rem .2rem 0;text-align:left}
.bar{display:inline-block;width:12rem;height:.8rem;background:linear-gradient(90deg,rgb(44,123,182),transparent,rgb(230,97,1))}
span{border-radius:.2rem;padding:0 .15rem}
</style>
<h1>Why ${question}?</h1>
<p>${against === undefined ? 'Cosine' : 'Difference of cosines'} ${similarity.toFixed(3)}. What speaks for it lies mostly in: ${escapeHtml(where)}.</p>
<figure>${picture(drawn.overlay, `The picture with what speaks for ${text}: mostly ${where}`)}<figcaption>${escapeHtml(method)}: <code>−${spread.toPrecision(2)}</code> <span class="bar"></span> <code>+${spread.toPrecision(2)}</code></figcaption></figure>
<figure>${picture(drawn.original, 'The picture alone')}</figure>
<h2>Words</h2><p>${tinted}</p>
<h2>The picture in words</h2>
<table>${concepts.map(({ word, weight }) => `<tr><th>${escapeHtml(word)}</th><td>${weight.toFixed(2)}</td></tr>`).join('')}</table>
<p>They explain the picture up to a cosine of ${conceptsExplain.toFixed(2)}.</p>
${test}
</html>
`;
}
