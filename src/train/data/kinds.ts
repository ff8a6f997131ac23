/** What the classes of ImageNet are kinds of, so that a picture of a chihuahua is learned as one of a dog too. */

/** An everyday word with its synonyms, the usual one first. */
export interface Kind {
  en: readonly string[];
  de: readonly string[];
}

type Row = readonly [en: string, de: string, ...places: (number | readonly [first: number, last: number])[]];

/** English and German words, synonyms parted by a stroke, and the indices of the classes, first and last included. */
const rows: readonly Row[] = [
  ['fish', 'Fisch', [0, 1], [389, 397]],
  ['shark', 'Hai', [2, 4]],
  ['bird', 'Vogel', [7, 24], [80, 100], [127, 146]],
  ['salamander', 'Salamander', [25, 29]],
  ['frog', 'Frosch', [30, 32]],
  ['turtle', 'Schildkröte', [33, 37]],
  ['lizard', 'Echse|Eidechse', [38, 48]],
  ['crocodile', 'Krokodil', [49, 50]],
  ['snake', 'Schlange', [52, 68]],
  ['spider', 'Spinne', [72, 77]],
  ['snail', 'Schnecke', [113, 115]],
  ['crab', 'Krebs|Krabbe', [118, 121], 125],
  ['lobster', 'Hummer', [122, 123]],
  ['whale', 'Wal', [147, 148]],
  ['dog', 'Hund', [151, 268]],
  ['wolf', 'Wolf', [269, 271]],
  ['fox', 'Fuchs', [277, 280]],
  ['cat', 'Katze', [281, 285]],
  ['big cat|wild cat', 'Raubkatze', [286, 293]],
  ['bear', 'Bär', [294, 297]],
  ['insect', 'Insekt', [300, 326]],
  ['beetle', 'Käfer', [300, 307]],
  ['butterfly', 'Schmetterling', [321, 326]],
  ['rabbit', 'Hase|Kaninchen', [330, 332]],
  ['horse', 'Pferd', 339, 603],
  ['pig', 'Schwein', [341, 343]],
  ['cattle|cow', 'Rind|Kuh', [345, 347]],
  ['sheep', 'Schaf', [348, 349]],
  ['antelope', 'Antilope', [351, 353]],
  ['camel', 'Kamel', 354],
  ['monkey|ape', 'Affe', [365, 384]],
  ['elephant', 'Elefant', [385, 386], 101],
  ['panda', 'Panda', [387, 388]],
  ['guitar', 'Gitarre', 402, 546],
  ['piano', 'Klavier', 579, 881],
  [
    'musical instrument',
    'Musikinstrument',
    401,
    402,
    420,
    432,
    486,
    513,
    546,
    558,
    566,
    579,
    593,
    594,
    642,
    683,
    687,
    699,
    776,
    875,
    881,
    889,
  ],
  ['ship', 'Schiff', 403, 510, 554, 628, 724, 780, 625],
  ['boat', 'Boot', 472, 484, 554, 576, 625, 780, 814, 871, 914],
  ['sailboat', 'Segelboot', 484, 780, 871, 914],
  ['airplane|plane|aeroplane', 'Flugzeug', 404, 895],
  ['car|automobile', 'Auto', 407, 436, 468, 511, 609, 627, 656, 661, 751, 817],
  ['truck', 'Lastwagen', 555, 569, 675, 717, 734, 864, 867],
  ['van', 'Lieferwagen|Kleinbus', 654, 656, 675, 734],
  ['bus', 'Bus', 654, 779, 874],
  ['train', 'Zug', 466, 547, 565, 705, 820, 829],
  ['bicycle|bike', 'Fahrrad', 444, 671],
  ['motorcycle|motorbike', 'Motorrad', 665, 670],
  ['rocket', 'Rakete', 657, 744, 812],
  ['bridge', 'Brücke', 821, 839, 888],
  ['house|building', 'Haus|Gebäude', 425, 449, 500, 663, 698, 853],
  ['tower', 'Turm', 437, 442, 900],
  ['church', 'Kirche', 497, 668],
  ['monument', 'Denkmal', 649, 682, 708, 873],
  ['boots|shoes', 'Schuhe', 502, 514, 630, 770, 774],
  ['hat', 'Hut', 452, 515, 808],
  [
    'clothes',
    'Kleidung',
    399,
    400,
    411,
    445,
    474,
    568,
    578,
    601,
    610,
    614,
    617,
    639,
    655,
    735,
    834,
    841,
    842,
    869,
  ],
  ['dress', 'Kleid', 578, 614, 689],
  ['bottle', 'Flasche', 440, 720, 737, 898, 907],
  ['cup', 'Tasse|Becher', 504, 968],
  ['coffee', 'Kaffee', 504, 550, 967],
  ['clock', 'Uhr', 409, 530, 892],
  ['watch', 'Armbanduhr', 531],
  ['chair', 'Stuhl', 423, 559, 765],
  ['bed', 'Bett', 516, 520, 564],
  ['table', 'Tisch', 526, 532, 736],
  ['lamp', 'Lampe', 619, 846],
  ['computer', 'Computer', 527, 590, 620, 681],
  ['telephone|phone', 'Telefon', 487, 528, 707],
  ['ball', 'Ball', 429, 430, 522, 574, 722, 768, 805, 852, 890],
  ['toy', 'Spielzeug', 850, 865],
  ['food', 'Essen', [924, 935], [959, 965]],
  ['fruit', 'Obst', [948, 957]],
  ['vegetable', 'Gemüse', [936, 946]],
  ['dessert', 'Nachtisch', [927, 929]],
  ['burger|hamburger', 'Hamburger', 933],
  ['mushroom', 'Pilz', 947, [991, 997]],
  ['flower', 'Blume', [985, 986]],
  ['mountains|mountain', 'Berge|Berg', 970, 980],
  ['sea|ocean', 'Meer', 975, 977, 978, 973],
  ['beach', 'Strand', 978],
  ['landscape', 'Landschaft', 970, 972, [975, 980]],
  ['shop|store', 'Laden|Geschäft', 415, 424, 454, 467, 509, 582, 788, 860, 865],
];

const kindsByIndex = new Map<number, Kind[]>();
for (const [en, de, ...places] of rows) {
  const kind = { en: en.split('|'), de: de.split('|') };
  for (const place of places) {
    const [first, last] = typeof place === 'number' ? [place, place] : place;
    for (let index = first; index <= last; index++) {
      kindsByIndex.set(index, [...(kindsByIndex.get(index) ?? []), kind]);
    }
  }
}

/** The kinds of the ImageNet class with this index (0 to 999); none for most objects. */
export function kindsOfImageNet(index: number): readonly Kind[] {
  return kindsByIndex.get(index) ?? [];
}
