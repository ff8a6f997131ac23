/** Starts the page. */
// Styles of the components first, so that those of the page have the last word.
import './design/mantine.ts';
import './design/page.css';

import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { theme } from './design/theme.ts';
import { LanguageProvider } from './language/language.tsx';
import { queries } from './server.ts';
import { SynchronisationProvider } from './shell/synchronisation.tsx';
import { Boundary } from './states/boundary.tsx';

// The same name is read by public/appearance.js before the first paint.
const appearance = localStorageColorSchemeManager({ key: 'eidos-appearance' });

createRoot(document.getElementById('page')!).render(
  <StrictMode>
    <MantineProvider theme={theme} colorSchemeManager={appearance} defaultColorScheme="auto">
      <LanguageProvider>
        <QueryClientProvider client={queries}>
          <SynchronisationProvider>
            <Boundary>
              <App />
            </Boundary>
          </SynchronisationProvider>
        </QueryClientProvider>
      </LanguageProvider>
    </MantineProvider>
  </StrictMode>,
);
