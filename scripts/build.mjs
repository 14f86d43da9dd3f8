// Builds every package into its dist/.
//   in  -> packages/*/src, the entries in each package's `exports`
//   out -> dist/*.js (ES modules, one for each entry, shared chunks), dist/*.d.ts beside them
// JavaScript by tsup, declarations by TypeScript 7: tsup's own declarations need TypeScript 6.

import './help.mjs'
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'tsup'
import { root, workspacePackages } from './packages.mjs'

const packages = workspacePackages()
const started = performance.now()

for (const one of packages) rmSync(join(one.path, 'dist'), { recursive: true, force: true })
for (const one of packages) await buildJavaScript(one)
// A package reads the declarations of what it depends on, and depends on core alone.
const [core, ...others] = packages
await emitDeclarations(core)
await Promise.all(others.map(emitDeclarations))

const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(`build: ${packages.length} packages, ${seconds} s`)

async function buildJavaScript({ path, entries }) {
  await build({
    config: false,
    silent: true,
    entry: entries.map((entry) => join(path, entry)),
    outDir: join(path, 'dist'),
    tsconfig: join(path, 'tsconfig.json'),
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    // One copy of a module, whichever entries a program imports: errors and symbols compare equal.
    splitting: true,
    treeshake: false,
    sourcemap: true,
    dts: false,
    // Bare names stay imports: dependencies, peers, siblings, and `#msgpackr`, whose target the
    // condition of the reader chooses.
    skipNodeModulesBundle: true,
    external: [/^node:/, /^#/, /^@callbox\//, /^typebox/, /^msgpackr/],
    removeNodeProtocol: false,
    esbuildOptions: (options) => {
      // src/ is published beside dist/.
      options.sourcesContent = false
      options.legalComments = 'none'
    },
  })
}

function emitDeclarations({ path, folder }) {
  const options = [
    '--noEmit',
    'false',
    '--emitDeclarationOnly',
    '--rootDir',
    join(path, 'src'),
    '--outDir',
    join(path, 'dist'),
    '--incremental',
    'false',
    '--tsBuildInfoFile',
    'null',
    // Siblings are read as their users read them: by dist/.
    '--customConditions',
    'null',
  ]
  // By path: node_modules/.bin/tsc is TypeScript 6.
  const args = ['node_modules/typescript7/bin/tsc', '-p', folder, ...options]
  return new Promise((resolve, reject) => {
    const tsc = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' })
    tsc.on('error', reject)
    tsc.on('close', (code) => {
      if (code !== 0)
        return reject(new Error(`no declarations of ${folder}: tsc ended with ${code}`))
      renameImports(join(path, 'dist'))
      resolve()
    })
  })
}

/** TypeScript 7.0 leaves `./x.ts` in declarations, where the file is `x.d.ts`; `./x.js` finds it. */
function renameImports(dist) {
  for (const name of readdirSync(dist, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue
    const file = join(dist, name)
    const text = readFileSync(file, 'utf8')
    const renamed = text.replaceAll(/((?:from|import\()\s*['"]\.[^'"]*)\.ts(?=['"])/g, '$1.js')
    if (renamed !== text) writeFileSync(file, renamed)
  }
}
