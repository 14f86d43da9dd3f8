// Installs the packed packages as a user would, outside the workspace, and runs hello with them.
//   in  -> the tarballs of pack.mjs, examples/hello
//   out -> one line a check, exit code 1 if one failed
// Types are stripped by esbuild, file by file: what runs is what a user's own build would give.

import './help.mjs'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { packAll } from './pack.mjs'
import { filesUnder, root } from './packages.mjs'
import { nodeBinary } from './runtime-binaries.mjs'

const execute = promisify(execFile)
/** The oldest line of Node that we support, and a newer one. */
const nodeLines = [20, 22]
const timeoutMs = 120_000
/** What may be in a production install besides our own packages. */
const allowedDependencies = ['msgpackr', 'typebox']

let failures = 0
const folder = mkdtempSync(join(tmpdir(), 'callbox-smoke-'))
try {
  const packed = await packAll()
  await check('packed packages install, without scripts and optional packages', () =>
    install(packed),
  )
  await check('they bring msgpackr, typebox and nothing else [threat P1]', checkTree)
  await check('hello loses its types', stripHello)
  for (const line of nodeLines) {
    await check(`hello over tcp, unix and ws on Node ${line}`, async () =>
      runHello(await nodeBinary(line)),
    )
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failures === 0 ? 0 : 1

async function check(title, action) {
  const started = performance.now()
  try {
    await action()
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`ok     ${title}, ${seconds} s`)
  } catch (error) {
    failures += 1
    const text = [error.message, error.stdout, error.stderr].filter(Boolean).join('\n')
    console.log(`FAILED ${title}\n${text.replaceAll(/^/gm, '       ')}`)
  }
}

function npm(args, cwd) {
  const windows = process.platform === 'win32'
  return execute(windows ? 'npm.cmd' : 'npm', args, { cwd, shell: windows, timeout: timeoutMs })
}

async function install(packed) {
  const manifest = { name: 'smoke', version: '1.0.0', private: true, type: 'module' }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  // The peer, in the range that a user of our version would write.
  const { version } = JSON.parse(
    readFileSync(join(root, 'node_modules', 'typebox', 'package.json'), 'utf8'),
  )
  const specs = [...packed.map((one) => one.tarball), `typebox@^${version}`]
  await npm(['install', '--ignore-scripts', '--omit=optional', '--no-audit', ...specs], folder)
}

async function checkTree() {
  const { stdout } = await npm(['ls', '--omit=dev', '--all', '--json'], folder)
  const names = new Set()
  const visit = ({ dependencies = {} }) => {
    for (const [name, child] of Object.entries(dependencies)) {
      // npm names an optional package that it left out, without a version.
      if (child.version !== undefined) names.add(name)
      visit(child)
    }
  }
  visit(JSON.parse(stdout))
  const others = [...names].filter((name) => !name.startsWith('@callbox/'))
  const unexpected = others.filter((name) => !allowedDependencies.includes(name))
  if (unexpected.length > 0) throw new Error(`also installed: ${unexpected.join(', ')}`)
  // An empty tree would pass too.
  if (others.length !== allowedDependencies.length) throw new Error(`only found ${others.join()}`)
}

async function stripHello() {
  const source = join(root, 'examples', 'hello')
  const files = filesUnder(source)
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => !name.endsWith('.test.ts') && !name.endsWith('.d.ts'))
  if (!files.some((name) => /(^|\/)run\.ts$/.test(name))) {
    throw new Error('examples/hello has no run.ts')
  }
  await build({
    entryPoints: files.map((name) => join(source, name)),
    outbase: source,
    outdir: join(folder, 'hello'),
    format: 'esm',
    target: 'es2022',
    logLevel: 'silent',
    tsconfigRaw: {},
    plugins: [{ name: 'relative imports', setup: renameImports }],
  })
}

/** Without bundling esbuild leaves `./x.ts` as it is. */
function renameImports({ onLoad }) {
  onLoad({ filter: /\.ts$/ }, ({ path }) => ({
    contents: readFileSync(path, 'utf8').replaceAll(/(['"]\.[^'"\n]*)\.ts(?=['"])/g, '$1.js'),
    loader: 'ts',
  }))
}

async function runHello(node) {
  const run = ['run.js', join('src', 'run.js')].find((name) =>
    existsSync(join(folder, 'hello', name)),
  )
  const { stdout } = await execute(node, [join('hello', run)], { cwd: folder, timeout: timeoutMs })
  for (const transport of ['tcp', 'unix', 'ws']) {
    if (transport === 'unix' && process.platform === 'win32') continue
    if (!new RegExp(`\\b${transport}\\b`).test(stdout)) {
      throw new Error(`no line about ${transport} in what hello printed:\n${stdout}`)
    }
  }
}
