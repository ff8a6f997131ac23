/** Choices that outlive a visit; a browser that forbids storage just forgets them. */

export function remember(name: 'language', value: string): void {
  try {
    localStorage.setItem(`eidos-${name}`, value);
  } catch {
    // forgotten with the tab, as its owner wants it
  }
}

export function remembered(name: 'language'): string | undefined {
  try {
    return localStorage.getItem(`eidos-${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}
