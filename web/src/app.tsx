/** The page as a whole: header, one of two views, and the picture that is open over them. */
import { useState } from 'react';
import styles from './app.module.css';
import { ClassifyPage } from './classify/classify-page.tsx';
import { useMessages } from './language/language.tsx';
import type { LocalPicture } from './local-picture.ts';
import { go, useAddress } from './navigation.ts';
import { PictureView } from './picture/picture-view.tsx';
import { SearchPage } from './search/search-page.tsx';
import { Header } from './shell/header.tsx';

export function App() {
  const messages = useMessages();
  const address = useAddress();
  const [sought, setSought] = useState<LocalPicture>();
  const [pictures, setPictures] = useState<readonly LocalPicture[]>([]);
  const [labels, setLabels] = useState<string>();
  const home = () => {
    setSought(undefined);
    go({ view: 'search', words: '', closest: false, picture: undefined });
  };
  return (
    <>
      <a className={styles.skip} href="#main">
        {messages.skip}
      </a>
      <Header view={address.view} onHome={home} />
      {address.view === 'search' ? (
        <SearchPage address={address} picture={sought} onPicture={setSought} />
      ) : (
        <ClassifyPage pictures={pictures} onPictures={setPictures} labels={labels} onLabels={setLabels} />
      )}
      <PictureView
        id={address.picture}
        look={{ words: address.words.trim(), picture: sought, closest: address.closest }}
      />
    </>
  );
}
