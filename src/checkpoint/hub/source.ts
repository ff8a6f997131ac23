/** What a user means by a model's name: something on this machine, or a model of the hub. */
import { existsSync } from 'node:fs';
import { EidosError } from '../../errors.ts';

export type ModelSource =
  | { kind: 'local'; path: string }
  | { kind: 'hub'; id: string; revision: string | undefined };

const hubPrefix = 'hf-hub:';

/** `owner/name` or `owner/name@revision`, as the hub allows them. */
const hubId = /^([A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95})(?:@([\w][\w./-]{0,255}))?$/;

/**
 * A file or folder that exists comes first; otherwise a text of the form `owner/name` is a model of the hub.
 * @throws EidosError `not_found` for a path that is not there, `invalid_option` for what is neither.
 */
export function parseSource(source: string): ModelSource {
  const forced = source.startsWith(hubPrefix);
  if (!forced && source !== '' && existsSync(source)) return { kind: 'local', path: source };
  const match = hubId.exec(forced ? source.slice(hubPrefix.length) : source);
  if (match !== null && !source.includes('..') && !/\.(safetensors|pt|pth|bin|ckpt|json)$/.test(source)) {
    return { kind: 'hub', id: match[1]!, revision: match[2] };
  }
  if (forced) {
    throw new EidosError(
      'invalid_option',
      `'${source}' names no model of the hub: write ${hubPrefix}owner/name.`,
    );
  }
  throw new EidosError(
    'not_found',
    `There is no file or folder '${source}', and it is no model of the hub (owner/name or owner/name@revision).`,
  );
}
