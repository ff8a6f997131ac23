/** Was die Seite auf Deutsch sagt. */
import { formatBytes, formatDate, type Messages } from './english.ts';
import { count } from './plural.ts';

export const german: Messages = {
  name: 'Deutsch',
  search: 'Suchen',
  classify: 'Einordnen',
  skip: 'Direkt zu den Bildern',
  tryAgain: 'Noch einmal versuchen',
  close: 'Schließen',
  percent: (share) => new Intl.NumberFormat('de', { style: 'percent' }).format(share),
  number: (value) => new Intl.NumberFormat('de').format(value),
  bytes: (value) => formatBytes(value, 'de'),
  date: (iso) => formatDate(iso, 'de'),

  settings: {
    open: 'Sprache und Aussehen',
    language: 'Sprache',
    appearance: 'Aussehen',
    auto: 'System',
    light: 'Hell',
    dark: 'Dunkel',
  },

  find: {
    label: 'Was soll auf dem Bild sein?',
    placeholder: 'Ein Bild beschreiben',
    clear: 'Suche leeren',
    addPicture: 'Mit einem Bild suchen',
    removePicture: 'Bild aus der Suche nehmen',
    withPicture: (name) => `Wie ${name}`,
    drop: 'Bild loslassen, um ähnliche zu finden',
    hint: 'Beschreiben, was zu sehen ist, ein Bild hierher ziehen, oder beides.',
    ideas: [
      'Sonnenuntergang am Meer',
      'ein spielender Hund',
      'Essen auf einem Tisch',
      'Berge',
      'Stadt bei Nacht',
    ],
    ideasLabel: 'Ideen',
    all: (total) => `${count(total, 'Bild', 'Bilder', 'de')}, neueste zuerst`,
    fits: (total) => `${count(total, 'Bild passt', 'Bilder passen', 'de')}, beste zuerst`,
    closest: (total) => `${count(total, 'Bild', 'Bilder', 'de')}, nächstliegende zuerst`,
    searching: 'Suche läuft …',
    probability: (share) => `passt mit ${share}`,
    gridHelp: 'Mit den Pfeiltasten bewegen, mit der Eingabetaste öffnen.',
    unreadablePicture: (name) => `${name} lässt sich nicht als Bild lesen. JPEG, PNG oder WebP gehen.`,
  },

  nothing: {
    title: 'Hier passt nichts',
    text: 'Kein Bild kommt der Beschreibung nahe genug. Andere Worte helfen vielleicht.',
    closest: 'Trotzdem die nächstliegenden zeigen',
    backToFits: 'Nur was passt',
  },

  empty: {
    title: 'Noch keine Bilder',
    text: 'Ein Ordner kommt über die Befehlszeile dazu, dann erscheinen sie hier:',
    command: 'eidos index ORDNER',
  },

  failed: {
    title: 'Das ging nicht',
    unreachable: 'Der Server antwortet nicht. Läuft eidos serve noch?',
    noIndex:
      'Dieser Server hat keinen Bilderindex. Einen anlegen und den Server daneben starten; Einordnen geht ohne.',
    noIndexCommand: 'eidos index ORDNER && eidos serve',
    key: 'Dieser Server verlangt seinen API-Schlüssel',
    keyLabel: 'API-Schlüssel',
    keySend: 'Weiter',
  },

  picture: {
    view: 'Bild',
    of: (name) => `Bild ${name}`,
    previous: 'Voriges Bild',
    next: 'Nächstes Bild',
    similar: 'Sieht ähnlich aus',
    noSimilar: 'Kein anderes Bild sieht so aus.',
    keywords: 'Worte, die passen',
    about: 'Angaben',
    file: 'Datei',
    folder: 'Ordner',
    size: 'Größe',
    pixels: 'Pixel',
    taken: 'Aufgenommen',
    changed: 'Geändert',
    camera: 'Kamera',
    caption: 'Beschreibung',
    fit: 'Passt',
    original: 'Datei öffnen',
    gone: 'Dieses Bild ist nicht mehr im Index.',
    broken:
      'Die Datei lässt sich nicht zeigen. Vielleicht wurde sie seit der letzten Aktualisierung verschoben.',
  },

  index: {
    open: 'Der Index',
    pictures: (total) => count(total, 'Bild', 'Bilder', 'de'),
    model: 'Modell',
    folders: 'Ordner',
    changed: 'Letzte Änderung',
    size: 'Auf der Platte',
    update: 'Jetzt aktualisieren',
    updating: 'Wird aktualisiert …',
    stop: 'Anhalten',
    stage: { scan: 'Ordner werden durchgesehen', embed: 'Bilder werden angesehen', finish: 'Wird geordnet' },
    progress: (done, total) => `${done} von ${total}`,
    report: (added, changed, removed) =>
      added + changed + removed === 0
        ? 'Alles war auf dem neuesten Stand.'
        : `${added} neu, ${changed} geändert, ${removed} entfernt.`,
    unreadable: (total) => count(total, 'Datei ist unlesbar', 'Dateien sind unlesbar', 'de'),
  },

  label: {
    label: 'Was könnte es sein?',
    placeholder: 'ein Hund, eine Katze, ein Sonnenuntergang',
    hint: 'Begriffe, mit Kommas getrennt. Die Balken folgen beim Schreiben.',
    add: 'Bilder hinzufügen',
    drop: 'Bilder loslassen, um sie einzuordnen',
    emptyTitle: 'Bilder hierher ziehen',
    emptyText: 'Sie gehen nur an den eigenen eidos-Server und werden nicht aufbewahrt.',
    remove: (name) => `${name} entfernen`,
    removeAll: 'Alle entfernen',
    few: 'Zum Vergleichen braucht es mindestens zwei Begriffe.',
    best: (label, share) => `${label}, ${share}`,
    start: 'ein Hund, eine Katze, eine Stadt, Essen, das Meer, Berge',
  },
};
