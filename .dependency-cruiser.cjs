// Who may import whom. Run by scripts/directions.mjs, which also counts the modules seen.
// Imports of types count like any other: a cycle of types is a noun in the wrong file as well.

const source = '^packages/[^/]+/src/'
const tests = '\\.(test|test-d|fuzz|bench)\\.ts$'
const builtin = ['core']
const libraries = ['npm', 'npm-dev', 'npm-peer', 'npm-optional', 'npm-no-pkg', 'npm-unknown']

/** Folders of core from the lowest layer up. A layer imports itself and what is beneath it. */
const layers = [
  ['base'],
  ['contract', 'codec', 'frames', 'link'],
  ['session'],
  ['calls'],
  ['handlers'],
]

const layerRules = layers.slice(0, -1).map((folders, at) => ({
  name: `core-layer-${folders.join('-')}`,
  comment: 'Inside core: base <- contract, codec, frames, link <- session <- calls <- handlers.',
  severity: 'error',
  from: { path: `^packages/core/src/(${folders.join('|')})/`, pathNot: tests },
  to: {
    path: `^packages/core/src/(${layers
      .slice(at + 1)
      .flat()
      .join('|')})/`,
  },
}))

/** A rule that a package may import no sibling but these. */
const siblings = (name, allowed) => ({
  name: `${name}-imports-${allowed.join('-') || 'no-sibling'}`,
  comment: 'The application joins the parts; packages do not know each other.',
  severity: 'error',
  from: { path: `^packages/${name}/src/`, pathNot: tests },
  to: { path: '^packages/', pathNot: `^packages/(${[name, ...allowed].join('|')})/src/` },
})

module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'A cycle says that a noun is in the wrong file.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere is not checked by any other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    siblings('core', []),
    siblings('client', ['core']),
    siblings('server', ['core']),
    siblings('transport-tcp', ['core']),
    siblings('transport-ws', ['core']),
    siblings('testing', ['core']),
    ...layerRules,
    {
      name: 'core-entries-are-the-top',
      comment: 'index.ts and internal.ts are lists of names for others; validate.ts is passed in.',
      severity: 'error',
      from: { path: '^packages/core/src/[^/]+/', pathNot: tests },
      to: { path: '^packages/core/src/[^/]+\\.ts$' },
    },
    {
      name: 'core-runs-anywhere',
      comment: 'No Node in core. Names of the DOM do not compile there: see its tsconfig.json.',
      severity: 'error',
      from: { path: '^packages/core/src/', pathNot: tests },
      to: { dependencyTypes: builtin },
    },
    {
      name: 'core-needs-msgpackr-and-typebox',
      comment: 'Nothing else at run time.',
      severity: 'error',
      from: { path: '^packages/core/src/', pathNot: tests },
      to: { dependencyTypes: libraries, pathNot: 'node_modules/(msgpackr|typebox)/' },
    },
    {
      name: 'only-msgpack-imports-msgpackr',
      comment: 'One file stands between msgpackr and everything else.',
      severity: 'error',
      from: { path: source, pathNot: [tests, '^packages/core/src/codec/msgpack\\.ts$'] },
      to: { path: 'node_modules/msgpackr/' },
    },
    {
      name: 'typebox-as-types',
      comment: 'TypeBox runs only where schemas are made and checked; elsewhere `import type`.',
      severity: 'error',
      from: {
        path: '^packages/core/src/',
        pathNot: [tests, '^packages/core/src/(validate|contract/schemas)\\.ts$'],
      },
      to: { path: 'node_modules/typebox/', dependencyTypesNot: ['type-only', 'type-import'] },
    },
    {
      name: 'no-validator-in-clients',
      comment: 'A browser gets a validator only if its user imports one.',
      severity: 'error',
      from: { path: '^packages/(client|transport-[^/]+)/src/', pathNot: tests },
      to: {
        path: '(^packages/core/src/validate\\.ts$|node_modules/typebox/build/(compile|value)/)',
      },
    },
    {
      name: 'browser-builds-run-in-browsers',
      comment: 'What the browser condition chooses reaches no Node module, directly or not.',
      severity: 'error',
      from: { path: '\\.browser\\.ts$' },
      to: {
        path: '^(node:)?(fs|net|tls|http|https|crypto|stream|os|path|events)$',
        reachable: true,
      },
    },
    {
      name: 'transports-and-sides-need-core-alone',
      comment: 'Besides Node. TypeBox is a peer of the server and of the contract of the cases.',
      severity: 'error',
      from: {
        path: '^packages/(client|transport-[^/]+|testing)/src/',
        pathNot: [tests, '^packages/testing/src/conformance/contract\\.ts$'],
      },
      to: { dependencyTypes: libraries, path: 'node_modules/' },
    },
    {
      name: 'nothing-imports-what-stands-outside',
      comment: 'Examples, tests and benches use packages, never the other way round.',
      severity: 'error',
      from: { path: source, pathNot: tests },
      to: { path: '^(examples|tests|bench|docs|scripts)/' },
    },
    {
      name: 'tests-stay-out-of-source',
      comment: 'Source does not import a test.',
      severity: 'error',
      from: { path: source, pathNot: tests },
      to: { path: tests },
    },
    {
      name: 'examples-use-public-names',
      comment: 'An example shows what a user can write.',
      severity: 'error',
      from: { path: '^examples/' },
      to: { path: '^packages/core/src/internal\\.ts$' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['node_modules'] },
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@callbox/source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mts', '.d.ts', '.js', '.mjs', '.json'],
    },
  },
}
