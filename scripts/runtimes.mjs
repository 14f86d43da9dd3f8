// Runs what must hold everywhere on every runtime: several lines of Node, Bun, Deno.
//   in  -> names of runtimes, all without; tests/runtimes/suite.ts
//   out -> a table; exit code 1 if one failed
//
//   node scripts/runtimes.mjs [node-20] [node-22] [node-24] [node-26] [bun] [deno]
//
// Binaries come from the npm registry into .cache/, never into the workspace, where the package's
// `node` would take over every script. This very Node is used for its own line.

import './help.mjs'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { root } from './packages.mjs'
import { runtimes } from './runtime-binaries.mjs'

const execute = promisify(execFile)
const suite = 'tests/runtimes/suite.ts'
const timeoutMs = 120_000

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !runtimes.has(name))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${[...runtimes.keys()].join(', ')}`)
  process.exit(2)
}

let failures = 0
for (const name of asked.length > 0 ? asked : runtimes.keys()) {
  const { binary, args } = runtimes.get(name)
  const started = performance.now()
  try {
    const path = await binary()
    const { stdout } = await execute(path, [...args, suite], { cwd: root, timeout: timeoutMs })
    report('ok', name, started, stdout.trim().split('\n').at(-1))
  } catch (error) {
    failures += 1
    report('FAILED', name, started, '')
    console.log([error.message, error.stdout, error.stderr].filter(Boolean).join('\n'))
  }
}
process.exitCode = failures === 0 ? 0 : 1

function report(verdict, name, started, text) {
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${verdict.padEnd(7)}${name.padEnd(9)}${seconds.padStart(5)} s  ${text}`)
}
