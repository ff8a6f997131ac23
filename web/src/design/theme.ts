/** The page's theme for Mantine: grey walls so that the pictures have the colours, and one warm accent. */
import { createTheme, type MantineColorsTuple } from '@mantine/core';

const ember: MantineColorsTuple = [
  '#fff1e8',
  '#ffe0cd',
  '#ffc09b',
  '#ff9a5c',
  '#f57a33',
  '#dd5b16',
  '#b8430c',
  '#9a370a',
  '#7a2d0c',
  '#5a220b',
];

/** Warm greys, light to dark; Mantine reads `dark` from the text (0) to the wall (7). */
const stone: MantineColorsTuple = [
  '#f0efec',
  '#d6d5d1',
  '#a9a8a3',
  '#7d7c77',
  '#4a4946',
  '#343431',
  '#262624',
  '#1c1c1b',
  '#141413',
  '#0e0e0d',
];

export const theme = createTheme({
  colors: { ember, dark: stone },
  primaryColor: 'ember',
  primaryShade: { light: 6, dark: 3 },
  autoContrast: true,
  luminanceThreshold: 0.35,
  fontFamily: "'Instrument Sans Variable', system-ui, sans-serif",
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, monospace',
  headings: { fontWeight: '560' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  // Named, so that page.css can give its words the colour that the theme needs.
  components: { Button: { defaultProps: { variant: 'filled' } } },
});
