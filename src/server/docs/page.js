/** Shows the OpenAPI document of this server as forms that send its requests. Runs in the browser. */

/**
 * @typedef {{ type?: string | string[], enum?: unknown[], example?: unknown, description?: string, $ref?: string,
 *   items?: Schema, properties?: Record<string, Schema>, required?: string[], anyOf?: Schema[], default?: unknown,
 *   format?: string }} Schema
 * @typedef {{ name: string, in: string, required?: boolean, schema: Schema, description?: string }} Parameter
 * @typedef {{ summary?: string, description?: string, tags?: string[], parameters?: Parameter[],
 *   requestBody?: { content: Record<string, { schema: Schema }> } }} Operation
 * @typedef {{ info: { version: string, description: string }, security?: object[], tags: { name: string }[],
 *   paths: Record<string, Record<string, Operation>>, components: { schemas: Record<string, Schema> },
 *   'x-problem-codes': Record<string, { status: number, meaning: string }> }} Document
 */

/** Relative to the page, so that a proxy may put the server into a folder. */
const base = new URL('./', location.href);

/** @type {Document} */
const api = await (await fetch(new URL('openapi.json', base))).json();

const about = element('#about');
about.textContent = `${api.info.description} Version ${api.info.version}.`;
element('#key').hidden = api.security === undefined;
const main = element('#operations');
main.replaceChildren(...api.tags.flatMap(({ name }) => section(name)));
element('#codes').replaceChildren(
  ...Object.entries(api['x-problem-codes']).map(([code, { status, meaning }]) =>
    build('tr', { id: code }, [
      build('td', {}, [build('code', {}, [code])]),
      build('td', {}, [String(status)]),
      build('td', {}, [meaning]),
    ]),
  ),
);
// The rows are there only now, so the browser has not found the one that the address means.
if (location.hash.length > 1) document.getElementById(location.hash.slice(1))?.scrollIntoView();

/** @param {string} tag @returns {Node[]} */
function section(tag) {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.tags?.includes(tag))
      .map(([method, operation]) => card(path, method.toUpperCase(), operation)),
  );
  return operations.length === 0 ? [] : [build('h2', {}, [tag]), ...operations];
}

/** @param {string} path @param {string} method @param {Operation} operation */
function card(path, method, operation) {
  const output = build('output', {}, []);
  const inputs = (operation.parameters ?? []).map((parameter) => ({ parameter, input: inputFor(parameter) }));
  const body = bodyFor(operation);
  const form = build('form', {}, [
    ...(operation.description === undefined ? [] : [build('small', {}, [operation.description])]),
    ...inputs.map(({ parameter, input }) =>
      labelled(`${parameter.name}${parameter.required ? ' *' : ''}`, parameter.schema.description, input),
    ),
    ...(body === undefined ? [] : [labelled('body (JSON)', undefined, body)]),
    build('button', {}, ['Send']),
    output,
  ]);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const values = inputs.map(({ parameter, input }) => ({ parameter, value: input.value }));
    void send(method, addressOf(path, values), body?.value, output);
  });
  return build('details', {}, [
    build('summary', {}, [
      build('b', {}, [method]),
      build('span', { className: 'path' }, [path]),
      build('span', {}, [operation.summary ?? '']),
    ]),
    form,
  ]);
}

/** @param {Parameter} parameter */
function inputFor({ schema, required }) {
  if (schema.enum === undefined) {
    const example = schema.example ?? '';
    return build('input', { placeholder: String(example), required: required ?? false }, []);
  }
  const options = [...(required ? [] : ['']), ...schema.enum.map(String)];
  return build(
    'select',
    {},
    options.map((value) => build('option', {}, [value])),
  );
}

/** @param {Operation} operation */
function bodyFor({ requestBody }) {
  const schema = requestBody?.content['application/json']?.schema;
  if (schema === undefined) return undefined;
  const text = JSON.stringify(exampleOf(schema), null, 2);
  return build('textarea', { value: text, spellcheck: false }, []);
}

/**
 * Something that fits: the fields that must be there, and those with an example.
 * @param {Schema} schema @returns {unknown}
 */
function exampleOf(schema) {
  const { example, $ref, anyOf, items, properties, required = [], enum: values } = schema;
  if (example !== undefined) return example;
  if ($ref !== undefined) return exampleOf(api.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {});
  if (anyOf?.[0] !== undefined) return exampleOf(anyOf[0]);
  if (items !== undefined) return [exampleOf(items)];
  if (values !== undefined) return values[0];
  if (properties === undefined) return '';
  const shown = Object.entries(properties).filter(
    ([name, field]) => required.includes(name) || field.example !== undefined,
  );
  return Object.fromEntries(shown.map(([name, field]) => [name, exampleOf(field)]));
}

/** @param {string} path @param {{ parameter: Parameter, value: string }[]} values */
function addressOf(path, values) {
  let filled = path;
  const query = new URLSearchParams();
  for (const { parameter, value } of values) {
    if (parameter.in === 'path') filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value !== '') query.set(parameter.name, value);
  }
  const address = new URL(filled.slice(1), base);
  address.search = query.toString();
  return address;
}

/** @param {string} method @param {URL} address @param {string | undefined} body @param {HTMLElement} output */
async function send(method, address, body, output) {
  const key = /** @type {HTMLInputElement} */ (element('#key input')).value;
  const headers = {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
  };
  output.replaceChildren('…');
  try {
    const began = performance.now();
    const response = await fetch(address, { method, headers, ...(body === undefined ? {} : { body }) });
    const shown = await show(response);
    const milliseconds = Math.round(performance.now() - began);
    output.replaceChildren(build('small', {}, [`${response.status} · ${milliseconds} ms`]), shown);
  } catch (error) {
    output.replaceChildren(`The server did not answer: ${error}`);
  }
}

/** @param {Response} response */
async function show(response) {
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('image/')) {
    const image = build('img', { alt: '' }, []);
    image.src = URL.createObjectURL(await response.blob());
    return image;
  }
  const text = await response.text();
  return build('pre', { tabIndex: 0 }, [type.includes('json') ? pretty(text) : text]);
}

/** @param {string} text */
function pretty(text) {
  const all = JSON.stringify(JSON.parse(text), null, 2);
  return all.length > 50_000 ? `${all.slice(0, 50_000)}\n…` : all;
}

/** @param {string} name @param {string | undefined} description @param {HTMLElement} input */
function labelled(name, description, input) {
  const about = description === undefined ? [] : [build('small', {}, [description])];
  return build('label', {}, [name, ...about, input]);
}

/** @param {string} selector */
function element(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`The page lacks ${selector}.`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Partial<HTMLElementTagNameMap[K]>} properties
 * @param {readonly (Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function build(name, properties, children) {
  const node = document.createElement(name);
  Object.assign(node, properties);
  node.append(...children);
  return node;
}
