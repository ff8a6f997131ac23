/** Pictures that stand where a text is asked for: OpenAI's form of `input` has no other place for them. */
import { readHeader } from '../../image/header.ts';

/** How a picture is written as text. */
export type PictureText = 'data' | 'url' | 'base64';

/** Shorter texts of base64's letters are words. */
const shortestBase64 = 40;

/** Letters that hold the first bytes of a file, by which its format is known. */
const lettersOfHeader = 512;

/**
 * Whether a text is a picture in some form: a data URI, an http(s) address and nothing else, or the base64 of a picture
 * file alone. The embedding of its letters would be an answer that looks right and means nothing.
 */
export function pictureMeant(text: string): PictureText | undefined {
  const trimmed = text.trim();
  if (/^data:[^\s,]*,/i.test(trimmed)) return 'data';
  if (/^https?:\/\/\S+$/i.test(trimmed)) return 'url';
  if (
    trimmed.length < shortestBase64 ||
    !/^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed.slice(0, lettersOfHeader))
  ) {
    return undefined;
  }
  try {
    readHeader(Buffer.from(trimmed.slice(0, lettersOfHeader), 'base64'), 'it');
    return 'base64';
  } catch {
    return undefined;
  }
}

/** What to do in place of sending it as a text. */
export const remedies: Readonly<Record<PictureText, string>> = {
  data: 'is a picture, not a text: send it where pictures are taken',
  url: 'is an address, not a text: send the picture itself as a data URI (data:image/jpeg;base64,…), or words',
  base64: 'is the base64 of a picture without its beginning: write data:image/png;base64, before it',
};
