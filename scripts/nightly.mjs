// Everything that takes longer than a change can wait for, with a summary at the end.
//   in  -> nothing; `-- --help`
//   out -> a line for each step, exit code 1 if one failed
// The suite in the sizes of the night (10 million guarded decodes among them), and every mutant.

import './help.mjs'
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './packages.mjs'

const report = join(root, '.cache/nightly.json')
const nightly = { ...process.env, CALLBOX_SIZES: 'nightly' }
const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run']

const steps = [
  {
    name: 'suite',
    args: [
      ...vitest,
      // What takes seconds in the sizes of a change takes minutes here.
      '--testTimeout=1800000',
      '--reporter=default',
      '--reporter=json',
      `--outputFile=${report}`,
    ],
    tell: toldByReport,
  },
  { name: 'mutants of limits', args: ['tests/mutants/limits.mjs'] },
  { name: 'mutants of the protocol', args: ['tests/mutants/protocol.mjs', '--honest'] },
  { name: 'mutants of the WebSocket', args: ['tests/websocket/mutants.mjs'] },
]

function run(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env: nightly })
    child.on('exit', (code) => resolve(code === 0))
  })
}

function toldByReport() {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'))
    return `${numPassedTests} passed, ${numFailedTests} failed`
  } catch {
    return 'no report'
  }
}

rmSync(report, { force: true })
const lines = []
let failed = 0
for (const { name, args, tell } of steps) {
  const from = performance.now()
  const ok = await run(args)
  if (!ok) failed += 1
  const seconds = Math.round((performance.now() - from) / 1_000)
  const told = tell === undefined ? '' : `, ${tell()}`
  lines.push(`${ok ? 'ok    ' : 'FAILED'} ${name}${told}, ${seconds} s`)
}
console.log(['', 'nightly', ...lines].join('\n'))
console.log(`${steps.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
