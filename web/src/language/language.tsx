/** The language of the page: the browser's at first, then the one that was chosen. */
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { remember, remembered } from '../memory.ts';
import { english, type Messages } from './english.ts';
import { german } from './german.ts';

export type Language = 'en' | 'de';

/** Every language that the page speaks. */
export const languages: Record<Language, Messages> = { en: english, de: german };

interface Choice {
  language: Language;
  messages: Messages;
  choose(language: Language): void;
}

const context = createContext<Choice>({ language: 'en', messages: english, choose: () => {} });

/** Gives all components inside the language, and tells the browser and screen readers which it is. */
export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(firstLanguage);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const choice = useMemo(
    () => ({
      language,
      messages: languages[language],
      choose: (next: Language) => {
        remember('language', next);
        setLanguage(next);
      },
    }),
    [language],
  );
  return <context.Provider value={choice}>{children}</context.Provider>;
}

/** What the page says, in the language chosen. */
export function useMessages(): Messages {
  return useContext(context).messages;
}

export function useLanguage(): Choice {
  return useContext(context);
}

function firstLanguage(): Language {
  const wanted = [remembered('language'), ...navigator.languages];
  for (const tag of wanted) {
    const language = tag?.slice(0, 2).toLowerCase();
    if (language === 'en' || language === 'de') return language;
  }
  return 'en';
}
