/** Pictures that stand where a text is asked for: OpenAI's form of `input` has no other place for them. */
import { EidosError } from '../../errors.ts';
import { readHeader } from '../../image/header.ts';

/** How a picture is written as text: as it is taken, as an address, or in a form that has to be put right. */
export type PictureText = 'data' | 'url' | 'address' | 'base64';

/** Shorter texts of base64's letters are words. */
const shortestBase64 = 40;

/** Letters that hold the first bytes of a file, by which its format is known. */
const lettersOfHeader = 512;

/**
 * Whether a text is a picture in some form: a data URI (`data`), an http(s) address and nothing else (`url`), another
 * address, or the base64 of a picture file, whole or broken off, in lines, in quotes or with part of a URI's beginning.
 * The embedding of its letters would be an answer that looks right and means nothing.
 */
export function pictureMeant(text: string): PictureText | undefined {
  const trimmed = text.trim();
  if (/^data:[^\s,]*,/i.test(trimmed)) return 'data';
  if (/^https?:\/\/\S+$/i.test(trimmed)) return 'url';
  const bare = trimmed.replace(/^["'<`«„“]+|["'>`»”]+$/g, '').trim();
  if (/^(?:[a-z][a-z0-9+.-]*:)?\/\/\S/i.test(bare) || /^(?:blob|file):\S|^www\.\S+\.\S/i.test(bare)) {
    return 'address';
  }
  if (/^(?:data:\s*)?[\w.+-]+\/[\w.+-]+;\s*base64\b|^base64,\S|^data:\s*\w+\/\w/i.test(bare)) return 'base64';
  const letters = bare.replace(/\s+/g, '').slice(0, lettersOfHeader);
  const isBase64 = letters.length >= shortestBase64 && /^[A-Za-z0-9+/_-]+={0,2}$/.test(letters);
  return isBase64 && isPicture(Buffer.from(letters, 'base64')) ? 'base64' : undefined;
}

/** Whether bytes begin as a picture's, also in a format that is known and not read. */
function isPicture(bytes: Uint8Array): boolean {
  try {
    readHeader(bytes, 'it');
    return true;
  } catch (error) {
    return error instanceof EidosError && !error.message.includes('not a picture that eidos knows');
  }
}

const dataUri = 'send the picture itself as a data URI (data:image/jpeg;base64,…), or words';

/** What to do in place of sending it as a text. */
export const remedies: Readonly<Record<PictureText, string>> = {
  data: 'is a picture, not a text: send it where pictures are taken',
  url: `is an address, not a text: ${dataUri}`,
  address: `is an address, not a text: ${dataUri}`,
  base64: 'is the base64 of a picture without its right beginning: write data:image/png;base64, before it',
};
