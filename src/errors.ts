/** The one way in which eidos fails: an error with a stable code, what is wrong, and what to do about it. */

/** The closed set of codes; the command line prints them, a server maps them to a status. */
export type ErrorCode =
  | 'invalid_option' // an argument, option or configuration field that cannot be meant
  | 'not_found' // a file, folder or model that is not there or cannot be opened
  | 'invalid_image' // bytes that are no picture, or a broken one
  | 'image_too_large' // over the limit on pixels or bytes
  | 'invalid_checkpoint' // a weight file that is malformed or over a limit
  | 'unsupported_checkpoint' // a sound file of a model that eidos does not have
  | 'config_mismatch' // a configuration or vocabulary that contradicts the weights
  | 'invalid_tokenizer' // a malformed vocabulary, or none where one is needed
  | 'text_too_long' // more tokens than the context holds, where the caller asked for an error
  | 'device_unavailable' // a device that is not compiled in or not present
  | 'dtype_unavailable' // a number type that the device does not have
  | 'engine_failed' // onnxruntime refused a program, or its thread ended
  | 'invalid_graph' // a graph whose shapes or types do not fit
  | 'offline' // the network is needed and not allowed
  | 'download_failed' // the network was tried and failed, or its cache cannot be written
  | 'checksum_mismatch' // bytes that are not the ones promised
  | 'write_failed' // a file that cannot be written: a full disk, a place without permission
  | 'model_mismatch' // an index that another model has made
  | 'invalid_index' // an index that is damaged or of another version
  | 'not_installed' // an optional package that is needed and missing
  | 'not_finite' // a model whose embeddings or temperature, a training whose loss is no number (any more)
  | 'unauthorized' // a server wants an API key, or another one
  | 'forbidden' // a request from a page or under a name that the server does not serve
  | 'too_many_requests' // over the limit on requests of one client
  | 'request_too_large' // a request over the limit on its bytes
  | 'overloaded' // more work than a server takes on: later it has room again
  | 'timed_out' // work that did not end within its time
  | 'server_failed' // a server that cannot be reached, or that answers with a fault of its own
  | 'aborted' // the caller's AbortSignal
  | 'closed'; // used after close()

/** An error whose `code` stays the same across versions; the message names the thing and the way out. */
export class EidosError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EidosError';
    this.code = code;
  }
}

/** Every option of a function, so that one that is forgotten does not compile. */
export type KnownOptions<Options> = { readonly [Name in keyof Required<Options>]: true };

/**
 * Refuses options that a function does not have: a misspelt one would be left out without a word.
 * @param place the function, as its callers write it
 * @throws EidosError `invalid_option`, with the option that may have been meant
 */
export function requireKnownOptions<Options>(
  place: string,
  options: unknown,
  known: KnownOptions<Options>,
): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null) {
    throw new EidosError(
      'invalid_option',
      `${place}: options are an object, not ${JSON.stringify(options)}.`,
    );
  }
  const names = Object.keys(known);
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const meant = names.find((name) => isNear(name, unknown));
  throw new EidosError(
    'invalid_option',
    `${place} has no option "${unknown}"${meant === undefined ? `: it has ${names.join(', ')}` : `: did you mean ${meant}?`}`,
  );
}

/** Whether names differ in capitals, in signs between words, or by what one of them ends in. */
function isNear(name: string, given: string): boolean {
  const [a, b] = [name, given].map((one) => one.replace(/[^a-z0-9]/gi, '').toLowerCase()) as [string, string];
  return a === b || (b.length > 2 && a.startsWith(b)) || (a.length > 2 && b.startsWith(a));
}
