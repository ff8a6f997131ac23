/** In which way a terminal shows pictures, if it does. */

/** Kitty's graphics protocol, iTerm's inline images, and DEC's sixels. */
export const previewProtocols = ['kitty', 'iterm', 'sixel'] as const;

export type PreviewProtocol = (typeof previewProtocols)[number];

/**
 * The protocol of the terminal that a program writes to; undefined where it has none, and inside of tmux and screen, which
 * swallow pictures.
 */
export function previewProtocol(
  { isTTY = false }: { isTTY?: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): PreviewProtocol | undefined {
  const {
    TERM = '',
    TERM_PROGRAM = '',
    LC_TERMINAL,
    TMUX,
    STY,
    KITTY_WINDOW_ID,
    KONSOLE_VERSION,
  } = environment;
  if (!isTTY || TMUX || STY || /^(screen|tmux)/.test(TERM)) return undefined;
  if (
    KITTY_WINDOW_ID ||
    /kitty|ghostty/.test(`${TERM} ${TERM_PROGRAM}`) ||
    Number(KONSOLE_VERSION) >= 220400
  ) {
    return 'kitty';
  }
  if (/^(iTerm\.app|WezTerm|mintty)$/.test(TERM_PROGRAM) || LC_TERMINAL === 'iTerm2') return 'iterm';
  return /^(foot|mlterm|yaft|contour)|sixel/.test(TERM) ? 'sixel' : undefined;
}
