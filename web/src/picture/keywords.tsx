/** The words that fit a picture best; each is a search. */
import { useQuery } from '@tanstack/react-query';
import { useLanguage } from '../language/language.tsx';
import { go } from '../navigation.ts';
import { server } from '../server.ts';
import styles from './picture-view.module.css';

const mostShown = 8;

export function Keywords({ id }: { id: string }) {
  const { language, messages } = useLanguage();
  const { data, error } = useQuery({
    queryKey: ['keywords', id, language],
    queryFn: ({ signal }) => server.keywords(id, { topK: mostShown, language, signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
  // Without words a picture is still a picture: a failure here hides nothing else.
  if (error !== null || data?.keywords.length === 0) return null;
  return (
    <section className={styles.section}>
      <h3>{messages.picture.keywords}</h3>
      <ul className={styles.keywords}>
        {data?.keywords.map(({ keyword }) => (
          <li key={keyword}>
            <button
              type="button"
              onClick={() => go({ view: 'search', words: keyword, closest: false, picture: undefined })}
            >
              {keyword}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
