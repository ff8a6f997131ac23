/** Pictures that somebody drops, pastes or chooses: made small in the browser before they go to the server. */

export interface LocalPicture {
  /** Tells pictures of the same name apart. */
  key: string;
  name: string;
  /** A data URI: what is shown and what is sent. */
  data: string;
}

/** No model looks at more pixels than this. */
const longestSide = 640;
/** Of files that this browser cannot decode and the server perhaps can, such as TIFF. */
const mostBytes = 16_000_000;

/**
 * Reads a file as a picture.
 * @throws Error where it is none that the browser or, at its size, the server could read
 */
export async function readPicture(file: File): Promise<LocalPicture> {
  const picture = { key: crypto.randomUUID?.() ?? `${file.name} ${performance.now()}`, name: file.name };
  try {
    return { ...picture, data: await shrink(file) };
  } catch (cause) {
    if (!file.type.startsWith('image/') || file.size > mostBytes) {
      throw new Error(`${file.name} is no picture that this browser reads`, { cause });
    }
    return { ...picture, data: await dataUri(file) };
  }
}

/** The picture, turned as its camera notes, on white where it is transparent, with its longer side in bounds. */
async function shrink(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const scale = Math.min(1, longestSide / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('no canvas');
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL('image/jpeg', 0.92);
}

function dataUri(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
}
