/** `eidos domain`: learns what one's own pictures look like, and says which others are not of their kind. */
import { Command } from 'commander';
import { EidosError } from '../../errors.ts';
import type { DomainJudgement } from '../../study/index.ts';
import { describeError, failureLine, someFailed } from '../failure.ts';
import { expandImages } from '../images.ts';
import { addModelOptions, type ModelOptions, openModel } from '../model-options.ts';

interface LearnOptions extends ModelOptions {
  out: string;
}

interface JudgeOptions extends ModelOptions {
  domain: string;
  falseAlarms: string;
}

export function domainCommand(): Command {
  return new Command('domain')
    .description('learn a kind of pictures from a few dozen, and say which others are not of it')
    .addCommand(learnCommand())
    .addCommand(judgeCommand());
}

function learnCommand(): Command {
  return addModelOptions(
    new Command('learn')
      .description('learn from pictures of the domain, without labels')
      .argument('<images...>', 'pictures, folders or patterns; ten at least, a few dozen are better')
      .requiredOption('-o, --out <file>', 'the file that is written, .safetensors'),
  )
    .addHelpText('after', '\nExample:\n  eidos domain learn scans/ --out scans.safetensors')
    .action(learn);
}

function judgeCommand(): Command {
  return addModelOptions(
    new Command('judge')
      .description('say how far pictures lie from the domain, and how rarely its own lie so far')
      .argument('<images...>', 'pictures, folders or patterns')
      .requiredOption('--domain <file>', 'what `eidos domain learn` wrote')
      .option('--false-alarms <share>', 'of the domain’s own pictures that may be flagged', '0.05'),
  )
    .addHelpText(
      'after',
      `
p is the share of the domain's own pictures that lie as far from the others: with a share of 0.05, of 100 pictures of the
domain 5 would be flagged. p is never below 1 / (pictures learned + 1): under 20 pictures nothing can be flagged at 0.05.

--json gives a line a picture: {"image", "p", "distance", "inside", "distances": {"nearest", "mahalanobis"}}.

Exit status: 0, 1 when a picture could not be found or read, 2 for wrong usage.`,
    )
    .action(judge);
}

async function learn(patterns: string[], options: LearnOptions): Promise<void> {
  const [{ learnDomain }, { paths, missing }, clip] = await Promise.all([
    import('../../study/index.ts'),
    expandImages(patterns, options),
    openModel(options),
  ]);
  try {
    const [first] = missing;
    if (first !== undefined) throw first.error;
    const domain = await learnDomain(clip, paths);
    await domain.save(options.out);
    const line = { out: options.out, model: domain.model, pictures: domain.size };
    process.stdout.write(
      options.json ? `${JSON.stringify(line)}\n` : `${options.out}: a domain of ${domain.size} pictures\n`,
    );
  } finally {
    await clip.close();
  }
}

async function judge(patterns: string[], options: JudgeOptions): Promise<void> {
  const falseAlarms = Number(options.falseAlarms);
  const [{ loadDomain }, { paths, missing }] = await Promise.all([
    import('../../study/index.ts'),
    expandImages(patterns, options),
  ]);
  const clip = options.model === undefined ? undefined : await openModel(options);
  const domain = await loadDomain(options.domain, clip === undefined ? {} : { clip });
  try {
    for (const { pattern, error } of missing) print({ image: pattern, error }, options);
    if (!(falseAlarms > 0 && falseAlarms < 1)) {
      throw new EidosError(
        'invalid_option',
        `--false-alarms ${options.falseAlarms}: a share between 0 and 1.`,
      );
    }
    for await (const answer of domain.judge(paths, { falseAlarms })) print(answer, options);
  } finally {
    await domain.close();
    await clip?.close();
  }
}

function print(answer: DomainJudgement, { json }: ModelOptions): void {
  if ('error' in answer) process.exitCode = someFailed;
  if (json) {
    const line = 'error' in answer ? { image: answer.image, error: describeError(answer.error) } : answer;
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } else if ('error' in answer) process.stderr.write(failureLine(answer.image, answer.error));
  else {
    const { image, p, distance, inside } = answer;
    process.stdout.write(
      `${inside ? '  inside ' : '* outside'}  p ${p.toFixed(3)}  distance ${distance.toFixed(3)}  ${image}\n`,
    );
  }
}
