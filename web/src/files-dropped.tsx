/** Takes pictures that are dropped or pasted anywhere on the page, and says so while one hovers over it. */
import { useEffect, useRef, useState } from 'react';
import { PictureIcon } from './design/icons.tsx';
import styles from './files-dropped.module.css';

/**
 * @param invitation what dropping will do, shown while files are held over the page
 * @param onFiles called with at least one file
 */
export function FilesDropped({ invitation, onFiles }: { invitation: string; onFiles(files: File[]): void }) {
  const [over, setOver] = useState(false);
  const take = useRef(onFiles);
  take.current = onFiles;

  useEffect(() => {
    // Entering a child comes before leaving its parent: only the difference tells whether the page was left.
    let depth = 0;
    const listeners = {
      dragenter(event: DragEvent) {
        if (!holdsFiles(event)) return;
        depth++;
        setOver(true);
      },
      dragleave(event: DragEvent) {
        if (!holdsFiles(event)) return;
        depth--;
        if (depth <= 0) setOver(false);
      },
      dragover(event: DragEvent) {
        if (holdsFiles(event)) event.preventDefault();
      },
      drop(event: DragEvent) {
        depth = 0;
        setOver(false);
        if (!holdsFiles(event)) return;
        event.preventDefault();
        give(event.dataTransfer);
      },
      paste(event: ClipboardEvent) {
        give(event.clipboardData);
      },
    };
    const give = (transfer: DataTransfer | null) => {
      const files = [...(transfer?.files ?? [])];
      if (files.length > 0) take.current(files);
    };
    for (const [name, listener] of Object.entries(listeners))
      addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) {
        removeEventListener(name, listener as EventListener);
      }
    };
  }, []);

  if (!over) return null;
  return (
    <div className={styles.over} aria-hidden="true">
      <p>
        <PictureIcon /> {invitation}
      </p>
    </div>
  );
}

function holdsFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}
