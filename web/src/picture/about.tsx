/** What is known of a picture's file. */
import type { ReactNode } from 'react';
import type { Picture } from '../../../src/client/index.ts';
import { useMessages } from '../language/language.tsx';
import { server } from '../server.ts';
import { fileName, folderOf } from './file-name.ts';
import styles from './picture-view.module.css';

export function About({ picture }: { picture: Picture }) {
  const messages = useMessages();
  const words = messages.picture;
  const rows: [string, ReactNode][] = [
    [words.folder, folderOf(picture.image)],
    [words.taken, picture.takenAt && messages.date(picture.takenAt)],
    [words.camera, picture.camera],
    [words.pixels, `${messages.number(picture.width)} × ${messages.number(picture.height)}`],
    [words.size, messages.bytes(picture.bytes)],
    [words.changed, messages.date(picture.modifiedAt)],
    [
      words.file,
      <a
        key="file"
        href={server.fileUrl(picture.id)}
        target="_blank"
        rel="noreferrer"
        aria-label={`${words.original}: ${fileName(picture.image)}`}
      >
        {words.original}
      </a>,
    ],
  ];
  return (
    <section className={styles.section}>
      <h3>{words.about}</h3>
      <dl className={styles.about}>
        {rows.map(([name, value]) =>
          value === undefined || value === '' ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
    </section>
  );
}
