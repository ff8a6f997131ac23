/** Requests that nearly fit: made from the OpenAPI document, and wrong somewhere. */
import fc from 'fast-check';

export interface Schema {
  $ref?: string;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  example?: unknown;
  pattern?: string;
}

interface Operation {
  parameters?: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, unknown>;
}

export interface ApiDocument {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
  'x-problem-codes': Record<string, { status: number }>;
}

export interface MalformedRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Uint8Array<ArrayBuffer> | undefined;
  /** Statuses that the document knows of. */
  documented: number[];
}

/** Strings that have broken servers before. */
const oddStrings = [
  '',
  ' ',
  '\u0000',
  '../../etc/passwd',
  '..%2f..%2f',
  '%',
  '%ff',
  '\ud800',
  '💥'.repeat(50),
  '__proto__',
  'constructor',
  'NaN',
  '-0',
  '1e999',
  'null',
  '[object Object]',
  "'; DROP TABLE pictures; --",
  '{{7*7}}',
  '<script>',
  'data:',
  'data:image/png;base64,',
  'data:image/png;base64,%%%',
  'data:image/svg+xml,<svg/>',
  'data:,',
  'http://',
  'file:///etc/passwd',
  'a'.repeat(20_000),
  '+',
  '-',
  '+-',
  '"',
  '2:',
  '-1:a',
  '\u202e',
  '2024-99-99',
  '9'.repeat(400),
];

const oddValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...oddStrings),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(null, true, -1, 0, 1e308, -0, 2 ** 53, 0.5, [], {}, [[]], [null]),
  fc.jsonValue({ maxDepth: 2 }),
);

/** @param document of the server that is asked */
export function malformedRequests(document: ApiDocument): fc.Arbitrary<MalformedRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const value = (schema: Schema, depth = 0): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 8, arbitrary: fitting(schema, depth) }, { weight: 1, arbitrary: oddValues });

  function fitting(schema: Schema, depth: number): fc.Arbitrary<unknown> {
    const { $ref, anyOf, oneOf, allOf, type, example, properties, items, required = [] } = schema;
    if ($ref !== undefined) return value(document.components.schemas[$ref.split('/').at(-1)!]!, depth);
    const choices = anyOf ?? oneOf;
    if (choices !== undefined) return fc.oneof(...choices.map((choice) => value(choice, depth)));
    if (allOf !== undefined) return value(allOf[0]!, depth);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    if (schema.const !== undefined) return fc.constant(schema.const);
    switch (Array.isArray(type) ? type[0] : type) {
      case 'integer':
      case 'number':
        return fc.oneof(
          fc.integer({ min: schema.minimum ?? -5, max: Math.min(schema.maximum ?? 100, 2 ** 31) }),
          fc.double(),
        );
      case 'boolean':
        return fc.boolean();
      case 'array':
        return fc.array(value(items ?? {}, depth + 1), { maxLength: 4 });
      case 'object':
        return fc
          .record(
            Object.fromEntries(
              Object.entries(properties ?? {}).map(([name, field]) => [name, value(field, depth + 1)]),
            ),
            { requiredKeys: required },
          )
          .chain((fields) =>
            fc.oneof(
              { weight: 6, arbitrary: fc.constant(fields as object) },
              {
                weight: 1,
                arbitrary: fc
                  .tuple(fc.string(), oddValues)
                  .map(([name, odd]) => ({ ...fields, [name]: odd })),
              },
            ),
          );
      default:
        return fc.oneof(fc.constant(example ?? 'a'), fc.string(), fc.constantFrom(...oddStrings));
    }
  }

  return fc.constantFrom(...operations).chain(({ path, method, operation }) => {
    const parameters = operation.parameters ?? [];
    const content = Object.entries(operation.requestBody?.content ?? {});
    const types = [
      ...content.map(([type]) => type),
      'application/json',
      'text/plain',
      'multipart/form-data',
      'multipart/form-data; boundary=x',
      'application/x-www-form-urlencoded',
      'a/b; c="',
    ];
    const schema = content[0]?.[1].schema;
    return fc
      .record({
        values: fc.tuple(...parameters.map((parameter) => fc.option(value(parameter.schema), { freq: 4 }))),
        extra: fc.option(fc.tuple(fc.string(), fc.string()), { freq: 8, nil: undefined }),
        type: fc.oneof(
          { weight: 5, arbitrary: fc.constant(types[0]!) },
          { weight: 1, arbitrary: fc.constantFrom(...types, undefined) },
        ),
        json: schema === undefined ? fc.constant(undefined) : value(schema),
        damage: fc.oneof(
          { weight: 6, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: fc.nat(60) },
        ),
        bytes: fc.oneof(
          { weight: 9, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
        ),
      })
      .map(({ values, extra, type, json, damage, bytes }): MalformedRequest => {
        const query = new URLSearchParams(extra === undefined ? [] : [extra]);
        let filled = path;
        parameters.forEach((parameter, i) => {
          const text = asText(values[i]);
          if (parameter.in === 'path')
            filled = filled.replace(`{${parameter.name}}`, () => encodeSafely(text));
          else if (values[i] !== null) query.append(parameter.name, text);
        });
        const text = json === undefined ? undefined : JSON.stringify(json);
        const body =
          bytes === undefined
            ? text?.slice(0, damage === undefined ? undefined : -damage)
            : new Uint8Array(bytes);
        return {
          method,
          path: query.size === 0 ? filled : `${filled}?${query}`,
          headers: type === undefined ? {} : { 'content-type': type },
          body: method === 'GET' || method === 'HEAD' ? undefined : body,
          documented: Object.keys(operation.responses).map(Number),
        };
      });
  });
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** As an address can have it: lone surrogates have no encoding. */
function encodeSafely(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}
