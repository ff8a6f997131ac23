/** Small pictures between the lines of a terminal, in the protocol that it understands. */
import { openDecoder } from '../../image/decode.ts';
import { readHeader } from '../../image/header.ts';
import type { PreviewProtocol } from './protocols.ts';
import { sixelImage } from './sixel.ts';

/** Lines of text that a preview takes. */
const lines = 6;

/** A table, so that a protocol that is forgotten does not compile. Sixels are shown pixel by pixel, the others made to fit. */
const protocols: {
  readonly [P in PreviewProtocol]: { width: number; height: number; draw(picture: SmallPicture): string };
} = {
  kitty: { width: 640, height: 320, draw: ({ png }) => kittyImage(png) },
  iterm: { width: 640, height: 320, draw: ({ png }) => itermImage(png) },
  sixel: { width: 240, height: 120, draw: ({ pixels }) => sixelImage(pixels) },
};

interface SmallPicture {
  png: Uint8Array;
  pixels: { data: Uint8Array; width: number; height: number };
}

/**
 * A picture as the terminal shows it, with the line's end behind it.
 * @param label names the picture in errors
 * @throws EidosError `invalid_image`, `image_too_large`
 */
export async function preview(bytes: Uint8Array, protocol: PreviewProtocol, label: string): Promise<string> {
  const { width, height, draw } = protocols[protocol];
  const decoder = await openDecoder(bytes, readHeader(bytes, label), {}, label);
  const small = decoder
    .resize({ width, height, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb');
  const { data, info } = await small.clone().raw().toBuffer({ resolveWithObject: true });
  const png = await small.png().toBuffer();
  return `${draw({ png, pixels: { data, width: info.width, height: info.height } })}\n`;
}

/** Letters of one piece: longer ones are refused. */
const kittyPiece = 4096;

/** @see https://sw.kovidgoyal.net/kitty/graphics-protocol/ */
export function kittyImage(png: Uint8Array): string {
  const pieces =
    Buffer.from(png)
      .toString('base64')
      .match(new RegExp(`.{1,${kittyPiece}}`, 'g')) ?? [];
  return pieces
    .map((piece, i) => {
      const first = i === 0 ? `a=T,f=100,q=2,r=${lines},` : '';
      return `\x1b_G${first}m=${i === pieces.length - 1 ? 0 : 1};${piece}\x1b\\`;
    })
    .join('');
}

/** @see https://iterm2.com/documentation-images.html */
export function itermImage(png: Uint8Array): string {
  const content = Buffer.from(png).toString('base64');
  return `\x1b]1337;File=inline=1;size=${png.length};height=${lines};preserveAspectRatio=1:${content}\x07`;
}
