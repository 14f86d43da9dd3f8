// Weighs the browser bundle of a client with one call, and looks for what must not be in it.
//   in  -> tests/bundle/*.ts and the built packages (run build.mjs first)
//   out -> a table; exit code 1 where a check fails (threat P5) or the bundle has grown beyond what
//          was reached; with --strict also where a budget is missed
//
// "in all" is the whole bundle, minified and gzipped, as a browser gets it. "ours" is the same
// bundle with typebox and msgpackr left out as imports: everything that Callbox itself adds, the
// fixture included. It is not a difference of two gzips, which would count in our favor whatever
// of our text happens to repeat theirs. So the parts add up to slightly more than the whole.

import './help.mjs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { root } from './packages.mjs'

const budgets = { all: 25_600, ours: 9_216, compact: 12_000 }
// The budgets are not met yet. Until they are, a miss is printed and nothing may grow beyond this.
// Moved up twice: for budgets, tuned windows and retries, then for sessions that survive and a
// reader of msgpack that every client has.
const reached = { all: 54_000, ours: 45_200, compact: 55_800 }
// By the names as they are imported: `#msgpackr` is core's name for the build of the platform.
const theirs = ['typebox', 'typebox/*', 'msgpackr', 'msgpackr/*', '#msgpackr']
// What bundlers set; not our own `@callbox/source`, so that the built files are measured.
const conditions = ['browser', 'module']
const sourceConditions = ['@callbox/source', ...conditions]
const fixture = { entryPoints: [join(root, 'tests/bundle/client.ts')] }

const all = await bundle(fixture)
const ours = await bundle({ ...fixture, external: theirs })
// The same client by the entry that has the compact codec and no msgpackr.
const compact = await bundle({ entryPoints: [join(root, 'tests/bundle/compact-client.ts')] })
const typebox = await bundle(
  virtual("import * as T from 'typebox'; console.log(T.Object({ a: T.String(), b: T.Integer() }))"),
)
const msgpackr = await bundle(
  virtual(
    "import { Unpackr } from 'msgpackr/unpack-no-eval'; console.log(Unpackr)",
    'packages/core',
  ),
)

const rows = [
  ['in all', all, budgets.all],
  ['ours', ours, budgets.ours],
  ['in all, compact codec only', compact, budgets.compact],
  ['typebox alone', typebox],
  ['msgpackr alone', msgpackr],
]
console.log('bundle of a client with one call      minified     gzip   budget')
for (const [title, { code, gzip }, budget] of rows) {
  const cells = [number(code.length, 12), number(gzip, 9), budget ? number(budget, 9) : '']
  console.log(title.padEnd(34) + cells.join(''))
}
printInputs(all)

const strict = process.argv.includes('--strict')
const missed = [
  ...over('in all', all.gzip, budgets.all),
  ...over('ours', ours.gzip, budgets.ours),
  ...over('compact codec only', compact.gzip, budgets.compact),
]
const problems = [
  ...(strict ? missed : []),
  ...over('in all', all.gzip, reached.all),
  ...over('ours', ours.gzip, reached.ours),
  ...over('compact codec only', compact.gzip, reached.compact),
  ...[all, compact].flatMap(({ code }) => forbiddenText(code)),
  ...[all, compact].flatMap(forbiddenInputs),
  ...libraryIn(compact),
]
if (missed.length > 0) printFiles(await bundle({ ...fixture, external: theirs }, sourceConditions))
for (const miss of missed) console.log(`MISSED ${miss}`)
for (const problem of problems) console.error(`FAILED ${problem}`)
if (problems.length === 0)
  console.log('ok     no Node module, validator or eval; not larger than before')
process.exitCode = problems.length === 0 ? 0 : 1

async function bundle(input, readBy = conditions) {
  const { outputFiles, metafile } = await build({
    ...input,
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    conditions: readBy,
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'none',
    absWorkingDir: root,
    logLevel: 'error',
    // Its aliases would lead to the sources.
    tsconfigRaw: {},
  })
  const [{ text: code, contents }] = outputFiles
  const [{ inputs }] = Object.values(metafile.outputs)
  return { code, gzip: gzipSync(contents, { level: 9 }).length, inputs }
}

/** A bundle of one import, resolved from a folder that may import it. */
function virtual(contents, folder = '.') {
  return { stdin: { contents, resolveDir: join(root, folder), loader: 'js' } }
}

function number(value, width) {
  return value.toLocaleString('en-US').padStart(width)
}

/** What of each package is in the bundle, minified: where to look when a budget breaks. */
function printInputs({ inputs }) {
  const sums = new Map()
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    if (bytesInOutput === 0) continue
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? dirname(path)
    const [files, sum] = sums.get(name) ?? [0, 0]
    sums.set(name, [files + 1, sum + bytesInOutput])
  }
  console.log('\nfrom                           files    bytes minified')
  for (const [name, [files, sum]] of [...sums].sort((a, b) => b[1][1] - a[1][1])) {
    console.log(name.padEnd(28) + number(files, 8) + number(sum, 9))
  }
  console.log()
}

/** Our source files by what they add, minified: where a budget can be won back. */
function printFiles({ inputs }) {
  const added = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  console.log('ours, by source file                         bytes minified')
  for (const [path, { bytesInOutput }] of added.sort(
    (a, b) => b[1].bytesInOutput - a[1].bytesInOutput,
  )) {
    console.log(path.padEnd(48) + number(bytesInOutput, 11))
  }
  console.log()
}

function over(title, size, budget) {
  return size > budget ? [`${title}: ${size} bytes, budget ${budget}`] : []
}

function forbiddenText(code) {
  const patterns = [
    /\bnode:/,
    /typebox\/(compile|value)/,
    /\beval\s*\(/,
    /\bnew Function\b/,
    /\bFunction\s*\(/,
  ]
  return patterns.flatMap((pattern) => {
    const found = pattern.exec(code)
    if (found === null) return []
    return [
      `the bundle has ${found[0]}: ...${code.slice(Math.max(0, found.index - 60), found.index + 60)}...`,
    ]
  })
}

/** Whoever wants the compact codec only does not load the library of the other. */
function libraryIn({ inputs }) {
  const found = Object.keys(inputs).filter((path) => path.includes('node_modules/msgpackr/'))
  return found.map((path) => `the bundle of the compact codec has ${path}`)
}

/** By path: bundled code does not say what it was called. */
function forbiddenInputs({ inputs }) {
  const forbidden = /node_modules\/typebox\/build\/(compile|value)\/|\/core\/dist\/validate\.js$/
  const found = Object.keys(inputs).filter(
    (path) => inputs[path].bytesInOutput > 0 && forbidden.test(path),
  )
  return found.length === 0 ? [] : [`the bundle has ${found[0]} and ${found.length - 1} like it`]
}
