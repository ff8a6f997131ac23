/** What the page says in English; its shape is what every other language has to say too. */
import { count } from './plural.ts';

export const english = {
  name: 'English',
  search: 'Search',
  classify: 'Classify',
  skip: 'Skip to the pictures',
  tryAgain: 'Try again',
  close: 'Close',
  percent: (share: number) => new Intl.NumberFormat('en', { style: 'percent' }).format(share),
  number: (value: number) => new Intl.NumberFormat('en').format(value),
  bytes: (value: number) => formatBytes(value, 'en'),
  date: (iso: string) => formatDate(iso, 'en'),

  settings: {
    open: 'Language and appearance',
    language: 'Language',
    appearance: 'Appearance',
    auto: 'System',
    light: 'Light',
    dark: 'Dark',
  },

  find: {
    label: 'What should be on the picture?',
    placeholder: 'Describe a picture',
    clear: 'Clear the search',
    addPicture: 'Search with a picture',
    removePicture: 'Remove the picture from the search',
    withPicture: (name: string) => `Like ${name}`,
    drop: 'Drop a picture to find ones like it',
    hint: 'Write what you see, drop a picture, or both.',
    ideas: ['sunset over the sea', 'a dog playing', 'food on a table', 'mountains', 'city at night'],
    ideasLabel: 'Ideas',
    all: (total: number) => `${count(total, 'picture', 'pictures', 'en')}, newest first`,
    fits: (total: number) => `${count(total, 'picture fits', 'pictures fit', 'en')}, best first`,
    closest: (total: number) => `${count(total, 'picture', 'pictures', 'en')}, closest first`,
    searching: 'Searching …',
    probability: (share: string) => `fits with ${share}`,
    gridHelp: 'Move with the arrow keys, open with Enter.',
    unreadablePicture: (name: string) => `${name} cannot be read as a picture. Try JPEG, PNG or WebP.`,
  },

  nothing: {
    title: 'Nothing here fits',
    text: 'No picture is close enough to what you described. Other words may help.',
    closest: 'Show the closest anyway',
    backToFits: 'Only what fits',
  },

  empty: {
    title: 'No pictures yet',
    text: 'Add a folder on the command line, and they appear here:',
    command: 'eidos index FOLDER',
  },

  failed: {
    title: 'That did not work',
    unreachable: 'The server does not answer. Is eidos serve still running?',
    noIndex:
      'This server has no index of pictures. Make one and start the server beside it; classifying works without.',
    noIndexCommand: 'eidos index FOLDER && eidos serve',
    key: 'This server asks for its API key',
    keyLabel: 'API key',
    keySend: 'Continue',
  },

  picture: {
    view: 'Picture',
    of: (name: string) => `Picture ${name}`,
    previous: 'Previous picture',
    next: 'Next picture',
    similar: 'Looks similar',
    noSimilar: 'No other picture looks like this one.',
    keywords: 'Words that fit',
    about: 'About',
    file: 'File',
    folder: 'Folder',
    size: 'Size',
    pixels: 'Pixels',
    taken: 'Taken',
    changed: 'Changed',
    camera: 'Camera',
    caption: 'Caption',
    fit: 'Fit',
    original: 'Open the file',
    gone: 'This picture is not in the index any more.',
    broken: 'The file cannot be shown. It may have been moved since the last update.',
  },

  index: {
    open: 'The index',
    pictures: (total: number) => count(total, 'picture', 'pictures', 'en'),
    model: 'Model',
    folders: 'Folders',
    changed: 'Last change',
    size: 'On disk',
    update: 'Update now',
    updating: 'Updating …',
    stop: 'Stop',
    stage: { scan: 'Looking through the folders', embed: 'Looking at pictures', finish: 'Putting in order' },
    progress: (done: string, total: string) => `${done} of ${total}`,
    report: (added: number, changed: number, removed: number) =>
      added + changed + removed === 0
        ? 'Everything was up to date.'
        : `${added} added, ${changed} changed, ${removed} removed.`,
    unreadable: (total: number) => count(total, 'file cannot be read', 'files cannot be read', 'en'),
  },

  label: {
    label: 'What could it be?',
    placeholder: 'a dog, a cat, a sunset',
    hint: 'Labels, with commas between them. The bars follow as you write.',
    add: 'Add pictures',
    drop: 'Drop pictures to classify them',
    emptyTitle: 'Drop pictures here',
    emptyText: 'They are sent to your own eidos server and nowhere else, and are not kept.',
    remove: (name: string) => `Remove ${name}`,
    removeAll: 'Remove all',
    few: 'Write at least two labels to compare.',
    best: (label: string, share: string) => `${label}, ${share}`,
    start: 'a dog, a cat, a city, food, the sea, mountains',
  },
};

export type Messages = typeof english;

/** 1,536 → 1.5 kB; steps of a thousand, as disks are labelled. */
export function formatBytes(value: number, language: string): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: units[step]!,
    maximumFractionDigits: step < 2 ? 0 : 1,
  }).format(value / 1000 ** step);
}

/** A day, and the time of day where the text has one; what is no date is given back as it is. */
export function formatDate(iso: string, language: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.valueOf())) return iso;
  const time = iso.includes('T') ? ({ timeStyle: 'short' } as const) : {};
  return new Intl.DateTimeFormat(language, { dateStyle: 'long', ...time }).format(date);
}
