/** A page without pictures: why, and what can be done. */
import type { ReactNode } from 'react';
import styles from './states.module.css';

export function Quiet({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  return (
    <div className={styles.state}>
      <h2>{title}</h2>
      <p>{text}</p>
      {children}
    </div>
  );
}
