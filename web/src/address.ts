/** What the page shows, kept in the address so that going back, reloading and passing a link on work. */
export interface Address {
  view: 'search' | 'classify';
  /** The words looked for; empty for none. */
  words: string;
  /** Show the closest pictures also where nothing fits. */
  closest: boolean;
  /** The picture that is open over the page. */
  picture: string | undefined;
}

/** Reads an address from the part of a URL behind the question mark; what is not understood is left out. */
export function parseAddress(search: string): Address {
  const fields = new URLSearchParams(search);
  return {
    view: fields.get('view') === 'classify' ? 'classify' : 'search',
    words: fields.get('q') ?? '',
    closest: fields.get('closest') === '1',
    picture: fields.get('picture') || undefined,
  };
}

/** The part of the URL behind the path that `parseAddress` reads; defaults are left out. */
export function formatAddress(address: Address): string {
  const fields = new URLSearchParams();
  if (address.view === 'classify') fields.set('view', 'classify');
  if (address.words !== '') fields.set('q', address.words);
  if (address.closest) fields.set('closest', '1');
  if (address.picture !== undefined) fields.set('picture', address.picture);
  const text = fields.toString();
  return text === '' ? '' : `?${text}`;
}
