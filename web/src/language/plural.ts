/** A number with the word that belongs to it. */

/** `1 picture`, `1,284 pictures`; German and English know the same two cases. */
export function count(value: number, one: string, many: string, language: string): string {
  return `${new Intl.NumberFormat(language).format(value)} ${value === 1 ? one : many}`;
}
