// Type checks every package, then tests, examples and benches, with TypeScript 7.
//   in  -> the tsconfig.json of each package, and the one of the root
//   out -> exit code; what is up to date is not checked again
// The wrong uses that must not compile, and the budgets of instantiations, are in types.mjs.

import './help.mjs'
import { spawnSync } from 'node:child_process'
import { root, workspacePackages } from './packages.mjs'

const projects = [...workspacePackages().map((one) => one.folder), '.']
const started = performance.now()
const { status } = spawnSync(
  process.execPath,
  // By path: node_modules/.bin/tsc is TypeScript 6.
  ['node_modules/typescript7/bin/tsc', '-b', ...projects],
  { cwd: root, stdio: 'inherit' },
)
const seconds = ((performance.now() - started) / 1000).toFixed(1)
if (status === 0) console.log(`types: ${projects.length} projects without errors, ${seconds} s`)
process.exitCode = status ?? 1
