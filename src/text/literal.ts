/** Texts within patterns. */

/** The pattern that finds just this text. */
export const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
