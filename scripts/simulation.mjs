// Runs seeds of the simulator in processes of their own.
//   in  -> what to run; strings to replace in the source, for the mutants
//   out -> what the processes tell, object by object
// The stack is bundled into one file first: it starts at once, and a mutant never touches the tree.

import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { root } from './packages.mjs'

/**
 * Bundles the runner of seeds. `mutant`: one exact string of one file, and what stands there instead.
 * Throws if the string does not stand there exactly once.
 * @param {string} name of the bundle
 * @param {{ file: string, from: string, to: string } | undefined} mutant
 */
export async function bundleSimulation(name, mutant) {
  const folder = join(root, '.cache', `simulation-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${name}.mjs`)
  await build({
    absWorkingDir: root,
    entryPoints: ['tests/simulation/main.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    conditions: ['@callbox/source', 'node', 'import'],
    logLevel: 'error',
    plugins: mutant === undefined ? [] : [replacing(mutant)],
  })
  return outfile
}

/** Removes the bundles of this process. */
export function removeBundles() {
  rmSync(join(root, '.cache', `simulation-${process.pid}`), { recursive: true, force: true })
}

function replacing({ file, from, to }) {
  const path = join(root, file)
  const source = readFileSync(path, 'utf8')
  const count = source.split(from).length - 1
  if (count !== 1) throw new Error(`${file}: stands there ${count} times: ${from}`)
  const contents = source.replace(from, () => to)
  return {
    name: 'mutant',
    setup(given) {
      given.onLoad({ filter: /\.ts$/ }, (args) =>
        args.path === path ? { contents, loader: 'ts' } : undefined,
      )
    },
  }
}

/**
 * Runs one job; `onTold` gets each thing that the process tells. Resolves with its exit code; it is
 * ended after `mostMs`, or when `onTold` answers true.
 */
export function runJob(bundle, job, onTold, mostMs = 3_600_000) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bundle, JSON.stringify(job)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), mostMs)
    let rest = ''
    let errors = ''
    child.stdout.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const line of lines) if (line !== '' && onTold(JSON.parse(line))) child.kill('SIGKILL')
    })
    child.stderr.on('data', (chunk) => {
      errors = (errors + chunk).slice(-4_000)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, errors })
    })
  })
}
