/** Goes from place to place within the page, and tells the components where one is. */
import { useSyncExternalStore } from 'react';
import { type Address, formatAddress, parseAddress } from './address.ts';

/** The address now; the component is drawn again when it changes. */
export function useAddress(): Address {
  return parseAddress(useSyncExternalStore(subscribe, () => location.search));
}

/**
 * Goes to a changed address.
 * @param how `push` makes a step that the back button undoes; `replace` does not, as while somebody types
 */
export function go(change: Partial<Address>, how: 'push' | 'replace' = 'push'): void {
  const next = formatAddress({ ...parseAddress(location.search), ...change });
  if (next === location.search) return;
  history[how === 'push' ? 'pushState' : 'replaceState'](null, '', next || location.pathname);
  for (const listener of listeners) listener();
}

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('popstate', listener);
  };
}
