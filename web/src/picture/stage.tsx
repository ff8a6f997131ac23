/** The picture itself, as large as the window allows: the small one at once, the sharp one when it is there. */
import { useState } from 'react';
import type { Picture } from '../../../src/client/index.ts';
import { useMessages } from '../language/language.tsx';
import { server } from '../server.ts';
import { fileName } from './file-name.ts';
import styles from './picture-view.module.css';

export function Stage({ id, picture }: { id: string; picture: Picture | undefined }) {
  const messages = useMessages();
  const [state, setState] = useState<'coming' | 'there' | 'broken'>('coming');
  if (state === 'broken') return <p className={styles.broken}>{messages.picture.broken}</p>;
  return (
    <div className={styles.stage}>
      <div className={styles.frame}>
        <img
          src={server.thumbnailUrl(id, '1280')}
          alt={
            picture?.caption ?? (picture === undefined ? '' : messages.picture.of(fileName(picture.image)))
          }
          style={{
            ...sizeOf(picture),
            backgroundImage: state === 'coming' ? `url("${server.thumbnailUrl(id, '320')}")` : undefined,
          }}
          onLoad={() => setState('there')}
          onError={() => setState('broken')}
        />
      </div>
    </div>
  );
}

/** What picture-view.module.css computes the size from: the largest that fits, at most twice the pixels. */
function sizeOf(picture: Picture | undefined): Record<string, string> {
  if (picture === undefined) return {};
  return { '--ratio': String(picture.width / picture.height), '--pixels': `${picture.width}px` };
}
