/** The options for sentences around names, which classify and evaluate take. */
import { type Command, Option } from 'commander';
import { EidosError } from '../errors.ts';
import { type PromptTemplateSet, promptTemplates } from '../text/templates.ts';
import { collect } from './model-options.ts';

export interface TemplateOptions {
  template?: string[] | undefined;
  templates?: PromptTemplateSet | readonly string[] | undefined;
}

/** Adds --template and --templates. */
export function addTemplateOptions(command: Command): Command {
  return command
    .option('--template <sentence>', 'a sentence with {} for the name, as often as needed', collect)
    .addOption(
      new Option('--templates <set>', 'a published set of sentences').choices(Object.keys(promptTemplates)),
    );
}

/** What the two options ask for; nothing where neither is given. */
export function templatesOf({ template = [], templates }: TemplateOptions): {
  templates?: PromptTemplateSet | readonly string[];
} {
  if (templates !== undefined && template.length > 0) {
    throw new EidosError(
      'invalid_option',
      '--templates and --template exclude each other: give one of them.',
    );
  }
  if (templates !== undefined) return { templates };
  return template.length > 0 ? { templates: template } : {};
}
