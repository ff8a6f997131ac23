/** `eidos explain`: why a picture fits a text. */
import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { Command, Option } from 'commander';
import { EidosError } from '../../errors.ts';
import type { Explanation, ExplanationMethod } from '../../tasks/explain/index.ts';
import { describeError, failureLine, someFailed } from '../failure.ts';
import { addModelOptions, type ModelOptions, namesOf, openModel } from '../model-options.ts';

interface Options extends ModelOptions {
  text: string;
  against?: string;
  method?: ExplanationMethod;
  faithfulness: boolean;
  language: 'en' | 'de';
  out?: string;
}

/** A method that is forgotten here does not compile. */
const methodNames = namesOf({
  relevance: true,
  rollout: true,
  grad_cam: true,
  integrated_gradients: true,
  occlusion: true,
  rise: true,
} satisfies Record<ExplanationMethod, true>);

export function explainCommand(): Command {
  return addModelOptions(
    new Command('explain')
      .description('show which places of a picture, and which words, make it fit a text')
      .argument('<image>', 'a picture')
      .requiredOption('-t, --text <text>', 'what the picture is compared with, as typed')
      .option('--against <text>', 'explain what speaks for --text rather than for this')
      .addOption(
        new Option('--method <method>', 'how (default: what suits the image encoder)').choices(methodNames),
      )
      .option('--no-faithfulness', 'do not put the map to the test, which takes some 140 embeddings')
      .addOption(
        new Option('--language <code>', 'of the words that the picture is written as a sum of')
          .choices(['en', 'de'])
          .default('en'),
      )
      .option('-o, --out <file>', 'write the map over the picture: .png, or .html with everything'),
  )
    .addHelpText(
      'after',
      `
--json gives one line: {"image", "text", "similarity", "method", "map": {"width", "height", "values"}, "where", "words",
"concepts", "faithfulness"}. The map covers the whole upright picture, row by row; above 0 speaks for the text.

Examples:
  eidos explain dog.jpg --text "a dog on grass" --out why.html
  eidos explain dog.jpg --text "a dog" --against "a cat" --json

Exit status: 0, 1 when the picture could not be found or read, 2 for wrong usage and where the model cannot be opened.`,
    )
    .action(run);
}

async function run(image: string, options: Options): Promise<void> {
  const { text, against, method, faithfulness, language, out } = options;
  const kind = out === undefined ? undefined : extname(out).toLowerCase();
  if (kind !== undefined && kind !== '.png' && kind !== '.html') {
    throw new EidosError(
      'invalid_option',
      `--out ${out}: a picture (.png) or a page (.html) can be written.`,
    );
  }
  const [{ createExplainer }, clip] = await Promise.all([
    import('../../tasks/explain/index.ts'),
    openModel(options, { load: 'fast-start' }),
  ]);
  try {
    const explainer = createExplainer(clip);
    let answer: Explanation;
    try {
      answer = await explainer.explain(image, { text, against, method, faithfulness, language });
    } catch (error) {
      if (!(error instanceof EidosError) || error.code === 'invalid_option') throw error;
      process.exitCode = someFailed;
      if (options.json) process.stdout.write(`${JSON.stringify({ image, error: describeError(error) })}\n`);
      else process.stderr.write(failureLine(image, error));
      return;
    }
    if (out !== undefined) {
      const { drawOverlay } = await import('../../image/overlay.ts');
      const drawn = await drawOverlay(image, answer.map);
      const { explanationPage } = await import('../explanation-page.ts');
      await writeFile(out, kind === '.png' ? drawn.overlay : explanationPage(answer, drawn));
    }
    process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : described(answer, out));
  } finally {
    await clip.close();
  }
}

function described(answer: Explanation, out: string | undefined): string {
  const { text, against, similarity, method, where, words, concepts, conceptsExplain, faithfulness } = answer;
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
  const lines = [
    answer.image,
    against === undefined
      ? `  “${text}”  cosine ${similarity.toFixed(3)}`
      : `  “${text}” rather than “${against}”  difference of cosines ${signed(similarity)}`,
    `  what speaks for it lies mostly in: ${where} (${method})`,
    `  words: ${words.map(({ word, effect }) => `${word} ${signed(effect)}`).join('  ')}`,
    `  the picture in words: ${concepts.map(({ word, weight }) => `${word} ${weight.toFixed(2)}`).join(', ')} (cosine ${conceptsExplain.toFixed(2)})`,
  ];
  if (faithfulness !== undefined) {
    const { insertion, deletion, randomInsertion, randomDeletion, betterThanRandom } = faithfulness;
    lines.push(
      `  put to the test: insertion ${insertion.toFixed(3)} (random ${randomInsertion.toFixed(3)}), deletion ${deletion.toFixed(3)} (random ${randomDeletion.toFixed(3)})`,
    );
    if (!betterThanRandom) {
      lines.push(
        '  No better than a random order of places here: this map explains nothing. Try another --method.',
      );
    }
  }
  if (out !== undefined) lines.push(`  written: ${out}`);
  return `${lines.join('\n')}\n`;
}
