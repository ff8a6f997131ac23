/** The top of the page: the name, the two things one can do here, the index, the settings. */
import type { Address } from '../address.ts';
import { Mark } from '../design/icons.tsx';
import { useMessages } from '../language/language.tsx';
import { go } from '../navigation.ts';
import styles from './header.module.css';
import { IndexPanel } from './index-panel.tsx';
import { Settings } from './settings.tsx';

export function Header({ view, onHome }: { view: Address['view']; onHome(): void }) {
  const messages = useMessages();
  return (
    <header className={styles.header}>
      <a
        className={styles.name}
        href="."
        onClick={(event) => {
          if (opensElsewhere(event)) return;
          event.preventDefault();
          onHome();
        }}
      >
        <Mark />
        eidos
      </a>
      <nav className={styles.views}>
        {(['search', 'classify'] as const).map((name) => (
          <a
            key={name}
            href={name === 'search' ? '.' : '?view=classify'}
            aria-current={view === name ? 'page' : undefined}
            onClick={(event) => {
              if (opensElsewhere(event)) return;
              event.preventDefault();
              go({ view: name });
            }}
          >
            {messages[name]}
          </a>
        ))}
      </nav>
      <div className={styles.right}>
        <IndexPanel />
        <Settings />
      </div>
    </header>
  );
}

/** A click that asks for a new tab or window is the browser's. */
export function opensElsewhere(event: {
  metaKey: boolean;
  ctrlKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}): boolean {
  return event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
}
