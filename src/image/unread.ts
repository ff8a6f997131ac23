/** Files of pictures and films in formats that eidos does not read, told by their names, so that none is passed over in silence. */

/** Extensions by what people call the format. */
const formats = new Map(
  Object.entries({
    HEIC: 'heic heics hif',
    HEIF: 'heif heifs',
    'JPEG XL': 'jxl',
    JP2: 'jp2 j2k j2c jpf jpx jpm',
    BMP: 'bmp dib',
    PSD: 'psd psb',
    SVG: 'svg svgz',
    EXR: 'exr',
    HDR: 'hdr',
    // Raw files of cameras have the names of their makers' formats.
    CR2: 'cr2',
    CR3: 'cr3',
    CRW: 'crw',
    NEF: 'nef',
    NRW: 'nrw',
    ARW: 'arw',
    SRF: 'srf',
    SR2: 'sr2',
    DNG: 'dng',
    ORF: 'orf',
    RW2: 'rw2',
    RAF: 'raf',
    PEF: 'pef',
    SRW: 'srw',
    '3FR': '3fr',
    IIQ: 'iiq',
    RWL: 'rwl',
    ERF: 'erf',
    KDC: 'kdc',
    DCR: 'dcr',
    MRW: 'mrw',
    X3F: 'x3f',
    RAW: 'raw',
    MP4: 'mp4 m4v',
    MOV: 'mov qt',
    AVI: 'avi',
    MKV: 'mkv',
    WebM: 'webm',
    MPEG: 'mpg mpeg m2v',
    MTS: 'mts m2ts',
    '3GP': '3gp 3g2',
    WMV: 'wmv',
    FLV: 'flv',
  }).flatMap(([format, extensions]) => extensions.split(' ').map((extension) => [extension, format])),
);

export const unreadExtensions: readonly string[] = [...formats.keys()];

/** Files by what their format is called, `{ HEIC: 2, MP4: 1 }`. */
export type UnreadFormats = Readonly<Record<string, number>>;

/** Counts those of the names that are of such a format, most frequent first. */
export function countUnread(names: Iterable<string>): UnreadFormats {
  const counts = new Map<string, number>();
  for (const name of names) {
    const format = formats.get(/\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? '');
    if (format !== undefined) counts.set(format, (counts.get(format) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

/** `5 files of formats that are not read (2 HEIC, 1 MP4, 1 JP2, 1 CR2)`; undefined where there are none. */
export function describeUnread(counts: UnreadFormats): string | undefined {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const each = Object.entries(counts).map(([format, count]) => `${count} ${format}`);
  const files = total === 1 ? '1 file of a format that is' : `${total} files of formats that are`;
  return `${files} not read (${each.join(', ')})`;
}
