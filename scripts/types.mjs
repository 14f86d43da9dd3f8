// Checks the public types: what is inferred, what must not compile, and what both cost.
//   in  -> tests/types with its fixtures, and the declarations that TypeScript 7 emits for the packages
//   out -> one line a check, a table of instantiations; the last line is 'N passed, N failed'
// Three compilers read the same declarations, as the compilers of users do. A wrong use must fail
// with the message that stands behind its directive, not only fail.

import './help.mjs'
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { root } from './packages.mjs'
import { fixture } from './type-fixtures.mjs'

const work = join(root, '.cache/types/public')
const compilers = [
  { name: 'TypeScript 5.9', folder: 'typescript59' },
  { name: 'TypeScript 6.0', folder: 'typescript' },
  { name: 'TypeScript 7.0', folder: 'typescript7' },
]
const newest = compilers[2]

/** What the tests import once the real packages are there. */
const realSurface = `export * from './core.ts'
export { createClient } from '@callbox/client'
export { createServer, implement, implementFor } from '@callbox/server'
import type { Transport } from '@callbox/core/internal'
export declare const transport: Transport
`

let passed = 0
let failed = 0

rmSync(work, { recursive: true, force: true })
const packages =
  exportsFunction('client', 'createClient') && exportsFunction('server', 'createServer')
    ? ['core', 'client', 'server']
    : ['core']
for (const name of packages) await emitDeclarations(name)
console.log(
  packages.length > 1
    ? 'types of core, client and server'
    : 'types of core; createClient and createServer are declared in tests/types/callbox.ts',
)

await compatibility()
await hovers()
await budgets()
await declarationSizes()
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function report(ok, text, details = []) {
  if (ok) passed += 1
  else {
    failed += 1
    console.log(`FAILED ${text}`)
    for (const line of details) console.log(`       ${line}`)
  }
}

// --- the packages as users read them

function exportsFunction(folder, name) {
  const index = join(root, 'packages', folder, 'src/index.ts')
  return existsSync(index) && new RegExp(`\\b${name}\\b`).test(readFileSync(index, 'utf8'))
}

async function emitDeclarations(name) {
  const out = join(work, 'declarations', name)
  const emit = '--noEmit false --emitDeclarationOnly --declarationMap false'
  const whole = '--incremental false --tsBuildInfoFile null'
  const folders = ['--rootDir', `packages/${name}/src`, '--outDir', out]
  const options = [...emit.split(' '), ...whole.split(' '), ...folders]
  const { output } = await compile(newest, ['-p', `packages/${name}`, ...options], root)
  const index = join(out, 'index.d.ts')
  if (!existsSync(index)) throw new Error(`no declarations of ${name}:\n${output}`)
  for (const file of readdirSync(out, { recursive: true }).map((one) => join(out, one))) {
    if (!file.endsWith('.d.ts')) continue
    // TypeScript 7.0 leaves `./x.ts`, where the file is `x.d.ts`; `./x.js` finds it.
    const text = readFileSync(file, 'utf8').replaceAll(/(['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2')
    writeFileSync(file, text)
  }
}

/** A copy of tests/types that reads the declarations. */
function copyTests(folder) {
  cpSync(join(root, 'tests/types'), folder, { recursive: true })
  writeFileSync(join(folder, 'core.ts'), surface('core.ts', folder))
  writeFileSync(join(folder, 'callbox.ts'), surface('callbox.ts', folder))
}

/** What the tests and the fixtures import. */
function surface(name, folder) {
  if (name === 'callbox.ts' && packages.length > 1) return realSurface
  const declarations = relative(folder, join(work, 'declarations'))
  return readFileSync(join(root, 'tests/types', name), 'utf8').replaceAll(
    /'(?:\.\.\/)+packages\/(\w+)\/src\/([^']*)\.ts'/g,
    (_, one, path) => `'${declarations}/${one}/${path}.js'`,
  )
}

function writeProject(folder, compilerOptions, include) {
  const declarations = join(work, 'declarations')
  const options = {
    extends: relative(folder, join(root, 'tsconfig.base.json')),
    compilerOptions: {
      lib: ['ES2023', 'DOM', 'DOM.Iterable'],
      types: ['node'],
      incremental: false,
      declaration: false,
      declarationMap: false,
      paths: Object.fromEntries(
        packages.flatMap((name) => [
          [`@callbox/${name}`, [`${declarations}/${name}/index.d.ts`]],
          [`@callbox/${name}/*`, [`${declarations}/${name}/*.d.ts`]],
        ]),
      ),
      ...compilerOptions,
    },
    include,
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options, null, 2))
}

/** Runs a compiler, by path: node_modules/.bin/tsc is TypeScript 6. */
function compile({ folder }, args, cwd) {
  return new Promise((resolve, reject) => {
    const tsc = spawn(process.execPath, [join(root, 'node_modules', folder, 'bin/tsc'), ...args], {
      cwd,
    })
    let output = ''
    tsc.stdout.on('data', (chunk) => (output += chunk))
    tsc.stderr.on('data', (chunk) => (output += chunk))
    tsc.on('error', reject)
    tsc.on('close', (status) => resolve({ status, output }))
  })
}

// --- what is inferred, and what must not compile

async function compatibility() {
  const strict = join(work, 'strict')
  copyTests(strict)
  // skipLibCheck off: the declarations themselves are checked too.
  writeProject(strict, { skipLibCheck: false }, ['*.ts', 'fixtures/wrong/*.ts'])
  const expected = disarm(strict)
  const browser = join(work, 'browser')
  copyTests(browser)
  const loose = {
    lib: ['ES2022', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'],
    types: [],
    exactOptionalPropertyTypes: false,
    noUncheckedIndexedAccess: false,
    noPropertyAccessFromIndexSignature: false,
  }
  writeProject(browser, loose, ['fixtures/browser/*.ts'])
  const inferences = countInferences(strict)
  const checkAll = async (compiler) => {
    await checkStrict(compiler, strict, expected, inferences)
    const { status, output } = await compile(compiler, ['-p', browser], browser)
    report(status === 0, `${compiler.name}: a browser project`, output.split('\n'))
  }
  await Promise.all(compilers.map(checkAll))
}

/**
 * Takes the `@ts-expect-error` directives away, so that the errors can be read.
 * @returns {Map<string, string>} text of the message by `file:line`
 */
function disarm(folder) {
  const expected = new Map()
  for (const name of readdirSync(join(folder, 'fixtures/wrong'))) {
    const file = join(folder, 'fixtures/wrong', name)
    const lines = readFileSync(file, 'utf8').split('\n')
    for (const [index, line] of lines.entries()) {
      const text = /\/\/ @ts-expect-error(.*)/.exec(line)?.[1]
      if (text === undefined) continue
      // Lines count from 1, and the error stands below its directive.
      expected.set(`fixtures/wrong/${name}:${index + 2}`, text.trim())
      lines[index] = line.replace('@ts-expect-error', 'expected:')
    }
    writeFileSync(file, lines.join('\n'))
  }
  return expected
}

function countInferences(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.test-d.ts'))
    .map(
      (name) => readFileSync(join(folder, name), 'utf8').match(/\bexact<\s*Equal</g)?.length ?? 0,
    )
    .reduce((sum, count) => sum + count, 0)
}

async function checkStrict(compiler, folder, expected, inferences) {
  const { output } = await compile(compiler, ['-p', folder], folder)
  const errors = errorsByLine(output)
  for (const [place, text] of expected) {
    const error = errors.get(place)
    const title = `${compiler.name}: ${place} must not compile: ${text}`
    report(text !== '' && error?.includes(text) === true, title, [error ?? 'it compiles'])
    errors.delete(place)
  }
  const others = [...errors].map(([place, text]) => `${place} ${text}`)
  const title = `${compiler.name}: ${inferences} exact inferences, declarations without errors`
  report(others.length === 0, title, others)
  console.log(`${compiler.name}: ${expected.size} wrong uses, ${inferences} exact inferences`)
}

/** Every error with the lines that explain it, by `file:line`. */
function errorsByLine(output) {
  const errors = new Map()
  let place = 'outside of any file'
  for (const line of output.split('\n')) {
    const found = /^(\S.*?)\((\d+),\d+\): (error .*)$/.exec(line)
    if (found) place = `${found[1]}:${found[2]}`
    if (line.trim() !== '') errors.set(place, `${errors.get(place) ?? ''}${found?.[3] ?? line}\n`)
  }
  return errors
}

// --- what an editor shows

async function hovers() {
  const folder = join(work, 'hover')
  copyTests(folder)
  const emit = { noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: root }
  writeProject(folder, { ...emit, outDir: 'out', noErrorTruncation: true }, ['hover.ts'])
  const { output } = await compile(newest, ['-p', folder], folder)
  const emitted = join(folder, 'out', relative(root, folder), 'hover.d.ts')
  if (!existsSync(emitted)) return report(false, 'hover.ts compiles', [output])
  const shown = readFileSync(emitted, 'utf8')
    .replaceAll(/import\("[^"]*"\)\./g, '')
    .replaceAll(/\s+/g, ' ')
  const wanted = /\/\/ shows (.*)\nexport const (\w+)/g
  for (const [, text, name] of readFileSync(join(folder, 'hover.ts'), 'utf8').matchAll(wanted)) {
    const line = `declare const ${name}: ${text}`
    report(shown.includes(line), `an editor shows: ${line}`, [shown])
  }
}

// --- what it costs

async function budgets() {
  const two = { server: true, client: true }
  const rows = [
    {
      title: 'server and client, 200 unary',
      size: { contracts: 10, methods: 200, ...two },
      budget: 155_000,
    },
    {
      title: 'the same, five kinds mixed',
      size: { contracts: 10, methods: 200, mixed: true, ...two },
      budget: 157_000,
    },
    {
      title: 'client of 1,000, 40 calls',
      size: { contracts: 50, methods: 1_000, client: true, calls: 40 },
      budget: 50_000,
    },
    {
      title: 'server of 1,000',
      size: { contracts: 50, methods: 1_000, server: true },
      budget: 620_000,
    },
  ]
  console.log(`${'instantiations, TypeScript 7.0'.padEnd(34)}measured    budget     check`)
  for (const [index, { title, size, budget }] of rows.entries()) {
    const folder = join(work, `budget${index}`)
    writeFixture(folder, size, {})
    const args = ['-p', folder, '--singleThreaded', '--extendedDiagnostics']
    const { status, output } = await compile(newest, args, folder)
    const measured = Number(/Instantiations:\s+(\d+)/.exec(output)?.[1] ?? Number.NaN)
    const seconds = /Check time:\s+(\S+)/.exec(output)?.[1] ?? ''
    const cells = [measured, budget].map((count) => count.toLocaleString('en').padStart(10))
    console.log(`${title.padEnd(32)}${cells.join('')}${seconds.padStart(10)}`)
    report(status === 0, `${title}: compiles`, output.split('\n').slice(0, 10))
    report(measured <= budget, `${title}: ${measured} instantiations, budget ${budget}`)
  }
}

async function declarationSizes() {
  const folder = join(work, 'sizes')
  const size = { contracts: 50, methods: 1_000, client: true, calls: 1, typed: true }
  const emit = { noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: root }
  writeFixture(folder, size, { ...emit, outDir: 'out' })
  const { status, output } = await compile(newest, ['-p', folder], folder)
  report(status === 0, 'declarations of 1,000 methods', output.split('\n').slice(0, 10))
  const out = join(folder, 'out', relative(root, folder))
  console.log(`${'declarations of 1,000 methods'.padEnd(37)}bytes    budget`)
  const rows = [
    { title: 'contracts', module: 'contracts' },
    { title: 'client, as inferred', module: 'client' },
    { title: 'client, as Client<Api>', module: 'typed', budget: 4_000 },
    { title: 'Api', module: 'api', budget: 4_000 },
  ]
  for (const { title, module, budget } of rows) {
    const bytes =
      statSync(join(out, `${module}.d.ts`), { throwIfNoEntry: false })?.size ?? Number.NaN
    const cells = [bytes, budget].map((count) => (count?.toLocaleString('en') ?? '').padStart(10))
    console.log(`${title.padEnd(32)}${cells.join('')}`.trimEnd())
    if (budget !== undefined) report(bytes <= budget, `${title}: ${bytes} bytes, budget ${budget}`)
  }
}

function writeFixture(folder, size, options) {
  writeProject(folder, { types: [], ...options }, ['*.ts'])
  const files = { ...fixture(size), 'core.ts': surface('core.ts', folder) }
  files['callbox.ts'] = surface('callbox.ts', folder)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`)
}
