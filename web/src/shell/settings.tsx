/** Language and appearance. */
import { ActionIcon, Popover, SegmentedControl, useMantineColorScheme } from '@mantine/core';
import { useId } from 'react';
import { SettingsIcon } from '../design/icons.tsx';
import { type Language, languages, useLanguage } from '../language/language.tsx';
import styles from './panel.module.css';

const appearances = ['auto', 'light', 'dark'] as const;

export function Settings() {
  const { language, messages, choose } = useLanguage();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const languageId = useId();
  const appearanceId = useId();
  return (
    <Popover
      position="bottom-end"
      width="min(300px, 100vw - 24px)"
      shadow="lg"
      radius="lg"
      trapFocus
      returnFocus
    >
      <Popover.Target>
        <ActionIcon variant="subtle" color="gray" size={36} radius="md" aria-label={messages.settings.open}>
          <SettingsIcon />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown className={styles.panel}>
        <h2 id={languageId}>{messages.settings.language}</h2>
        <SegmentedControl
          fullWidth
          aria-labelledby={languageId}
          value={language}
          onChange={(value) => choose(value as Language)}
          data={Object.entries(languages).map(([value, { name }]) => ({ value, label: name }))}
        />
        <h2 id={appearanceId}>{messages.settings.appearance}</h2>
        <SegmentedControl
          fullWidth
          aria-labelledby={appearanceId}
          value={colorScheme}
          onChange={(value) => setColorScheme(value as (typeof appearances)[number])}
          data={appearances.map((value) => ({ value, label: messages.settings[value] }))}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
