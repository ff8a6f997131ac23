import { expect, test } from 'vitest';
import { wordsOfFolders } from '../../src/evaluate/forms/folder-names.ts';

test.each([
  [
    ['001.Black_footed_Albatross', '002.Laysan_Albatross', '009.Brewer_Blackbird'],
    ['Black footed Albatross', 'Laysan Albatross', 'Brewer Blackbird'],
  ],
  [
    ['n02085620-Chihuahua', 'n02085782-Japanese_spaniel'],
    ['Chihuahua', 'Japanese spaniel'],
  ],
  [
    ['fire-truck', '3_tree', '747'],
    ['fire-truck', '3 tree', '747'],
  ],
  // Alone, or with nothing left to tell classes apart, a number belongs to the name.
  [['3_tree'], ['3 tree']],
  [
    ['1_tree', '2_tree'],
    ['1 tree', '2 tree'],
  ],
  [
    ['1', '2'],
    ['1', '2'],
  ],
])('%j are called %j', (folders, words) => {
  expect(wordsOfFolders(folders)).toEqual(words);
});
