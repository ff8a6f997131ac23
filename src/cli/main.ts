#!/usr/bin/env node
/** The command line `eidos`: a file a command, each loading its task only when it runs. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { classifyCommand } from './commands/classify.ts';
import { domainCommand } from './commands/domain.ts';
import { embedCommand } from './commands/embed.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { explainCommand } from './commands/explain.ts';
import { exportCommand } from './commands/export.ts';
import { indexCommand } from './commands/index.ts';
import { inspectCommand } from './commands/inspect.ts';
import { keywordsCommand } from './commands/keywords.ts';
import { modelsCommand } from './commands/models.ts';
import { searchCommand } from './commands/search.ts';
import { serveCommand } from './commands/serve.ts';
import { studyCommand } from './commands/study.ts';
import { trainCommand } from './commands/train.ts';
import { verifyCommand } from './commands/verify.ts';
import { nothingDone, reportFailure } from './failure.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('eidos')
  .description(
    'Pictures and words in one space: classify, embed and inspect with CLIP models, all on this machine.',
  )
  .version(version)
  .showHelpAfterError('(--help shows what is possible)')
  .configureHelp({ showGlobalOptions: true })
  // What follows a command's name is the command's: words of a query may begin like an option of the program.
  .enablePositionalOptions()
  .exitOverride();

for (const command of [
  classifyCommand,
  embedCommand,
  indexCommand,
  searchCommand,
  keywordsCommand,
  explainCommand,
  serveCommand,
  evaluateCommand,
  studyCommand,
  domainCommand,
  trainCommand,
  inspectCommand,
  modelsCommand,
  exportCommand,
  verifyCommand,
]) {
  // Not inherited of itself: without it a wrong option of a command would end the process with status 1.
  program.addCommand(command().copyInheritedSettings(program));
}

// Whoever reads the answers may have seen enough: `eidos classify … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`eidos: the answer could not be written: ${error.message}\n`);
  process.exit(nothingDone);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, process.argv.includes('--json'), process.argv.slice(2));
}
