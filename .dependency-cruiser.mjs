/** Which room of src may import which (ARCHITECTURE.md); `npm run lint` checks it. */

const foundations = ['disk', 'graph', 'models', 'engine', 'checkpoint', 'text', 'image'];

/**
 * A room stands on the rooms named here, on itself and on errors.ts, and on nothing else.
 * @type {Record<string, string[]>}
 */
const standsOn = {
  disk: [],
  graph: [],
  models: ['graph'],
  engine: ['graph', 'models'],
  checkpoint: ['disk', 'graph', 'models'],
  text: ['graph', 'models'],
  image: ['disk', 'graph', 'models'],
  clip: foundations,
  classifier: [...foundations, 'clip'],
  tasks: [...foundations, 'clip', 'classifier'],
  train: [...foundations, 'clip', 'classifier', 'evaluate'],
  evaluate: [...foundations, 'clip', 'classifier'],
  study: [...foundations, 'clip', 'classifier', 'tasks', 'evaluate'],
  trust: [...foundations, 'clip'],
};
const below = Object.keys(standsOn);
/** Nobody stands on these, save that a command may start the server, and that the client has types from it. */
const top = { server: below, client: ['server'], cli: [...below, 'server'] };

/** @param {string[]} rooms */
const inRooms = (rooms) => `^src/(${rooms.join('|')})/`;
const known = `^src/(errors\\.ts$|index\\.ts$|(${[...below, ...Object.keys(top)].join('|')})/)`;

/**
 * @typedef {import('dependency-cruiser').IRegularForbiddenRuleType} Rule
 * @type {(name: string, comment: string, from: Rule['from'], to: Rule['to']) => Rule}
 */
const forbid = (name, comment, from, to) => ({ name, severity: 'error', comment, from, to });

const directions = Object.entries({ ...standsOn, ...top }).map(([room, rooms]) =>
  forbid(
    `${room}-direction`,
    `${room} stands on ${rooms.join(', ') || 'nothing'} and errors.ts only.`,
    { path: inRooms([room]) },
    { path: '^src/', pathNot: [inRooms([room, ...rooms]), '^src/errors\\.ts$'] },
  ),
);

/**
 * A package that only one room knows, so that it can be exchanged there.
 * @param {string[]} rooms
 * @param {string[]} packages
 */
const onlyIn = (rooms, packages) =>
  forbid(
    `only-${rooms.join('-or-')}`,
    `${packages.join(', ')}: only ${rooms.join(' or ')} may import this.`,
    { path: '^src/', pathNot: inRooms(rooms) },
    { path: `node_modules/(${packages.join('|')})/` },
  );

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...directions,
    forbid('errors-stand-alone', 'errors.ts imports nothing.', { path: '^src/errors\\.ts$' }, {}),
    forbid(
      'index-is-a-door',
      'index.ts names what users see; inside, import the file that has it.',
      { path: '^src/' },
      { path: '^src/index\\.ts$' },
    ),
    forbid(
      'index-shows-the-library',
      'index.ts shows the rooms of the library, not the commands or the server.',
      { path: '^src/index\\.ts$' },
      { path: inRooms(Object.keys(top)) },
    ),
    forbid(
      'client-alone',
      'The client runs in browsers: of the server it knows types, of packages and Node nothing.',
      { path: inRooms(['client']) },
      { pathNot: [inRooms(['client']), '^src/errors\\.ts$'], dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'plain-types-only',
      'checkpoint, text and image know only the plain values of graph: write `import type`.',
      { path: inRooms(['checkpoint', 'text', 'image']) },
      {
        path: '^src/graph/',
        pathNot: '^src/graph/(tensor|half-floats)\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    ),
    forbid(
      'leaves-apart',
      'A task does not import another task, nor a command another command.',
      { path: '^src/(tasks|cli/commands)/([^/.]+)' },
      { path: '^src/$1/', pathNot: '^src/$1/$2(/|\\.ts$)' },
    ),
    forbid(
      'no-cycles',
      'Files that need each other at run time are one idea, or a third is missing (types may be mutual).',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    forbid(
      'known-rooms',
      'A new room of src gets a row in this table first.',
      { path: '^src/', pathNot: known },
      {},
    ),
    forbid(
      'known-rooms-only',
      'A new room of src gets a row in this table first.',
      {},
      { path: '^src/', pathNot: known },
    ),
    forbid(
      'no-lumber-room',
      'Nothing is named utils, helpers or common: name it by what it does.',
      {},
      { path: '/(utils?|helpers?|common|misc)(/|\\.ts$)', pathNot: 'node_modules' },
    ),
    forbid(
      'pure-rooms',
      'graph and models are pure: no files, no engine, no packages.',
      { path: inRooms(['graph', 'models']) },
      { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg'] },
    ),
    onlyIn(['engine'], ['onnxruntime-node', 'onnxruntime-common', '@bufbuild/protobuf']),
    onlyIn(['image'], ['sharp']),
    onlyIn(['tasks'], ['@lancedb/lancedb', 'apache-arrow', 'chokidar']),
    onlyIn(['server'], ['hono', '@hono/.+', 'pino', 'prom-client']),
    onlyIn(['cli'], ['commander', 'cli-progress']),
    forbid('resolvable', 'This file or package is not there.', {}, { couldNotResolve: true }),
    forbid(
      'declared',
      'What src imports is among the dependencies of package.json.',
      { path: '^src/' },
      {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only', 'npm-peer'],
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    parser: 'tsc',
    // Types count too, and are told apart from values.
    tsPreCompilationDeps: 'specify',
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
