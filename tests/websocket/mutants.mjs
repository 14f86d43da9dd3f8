// Changes the WebSocket implementation in one line at a time, and fails if the cases do not notice.
//   in  -> mutant-list.mjs; a number or part of a name for some of them
//   out -> a table of who noticed; exit code 1 if a mutant survives or no longer fits the source
// The change is made while the module is loaded: no file is touched.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutants } from './mutant-list.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '../..')
const source = 'packages/transport-ws/src'
const deadlineMs = 60_000
/** In memory first: there every byte is a chunk, and more goes wrong. */
const runs = [['--split'], []]

const wanted = process.argv.slice(2).filter((arg) => arg !== '--')
const chosen = mutants.filter(
  ({ name }, at) =>
    wanted.length === 0 || wanted.some((one) => one === String(at + 1) || name.includes(one)),
)
const started = performance.now()
const survivors = []
const sound = await outcome({ name: 'none', file: 'none', from: '', to: '' })
if (sound.caught !== undefined) {
  console.error(`FAILED: without any mutant the cases fail: ${sound.caught}`)
  process.exit(1)
}
const queue = [...chosen.entries()]
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work))
const seconds = ((performance.now() - started) / 1000).toFixed(0)
console.log(`${chosen.length - survivors.length} of ${chosen.length} mutants caught, ${seconds} s`)
process.exitCode = survivors.length === 0 && chosen.length > 0 ? 0 : 1

async function work() {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [, mutant] = next
    const number = String(mutants.indexOf(mutant) + 1).padStart(2)
    const { caught, problem } = fits(mutant) ?? (await outcome(mutant))
    if (caught === undefined) survivors.push(mutant)
    const how = caught ?? `SURVIVED${problem === undefined ? '' : `: ${problem}`}`
    console.log(`${number}  ${mutant.file.padEnd(22)} ${mutant.name.padEnd(58)} ${how}`)
  }
}

/** Undefined: the mutant's string is in its file, once. */
function fits({ file, from }) {
  const count = readFileSync(join(root, source, file), 'utf8').split(from).length - 1
  return count === 1 ? undefined : { problem: `its line is ${count} times in ${file}` }
}

/** Which case noticed, if one did. */
async function outcome(mutant) {
  for (const run of runs) {
    const { code, out, err } = await cases(mutant, run)
    if (mutant.name !== 'none' && !err.includes('mutant applied'))
      return { problem: `it was not applied: ${err.trim().split('\n').at(-1)}` }
    if (code === 0) continue
    return { caught: /^\w+ +\S+/m.exec(out)?.[0].replace(/ +/, ' ') ?? lastLine(err, code) }
  }
  return {}
}

function lastLine(err, code) {
  return (
    err
      .split('\n')
      .find((line) => /Error/.test(line))
      ?.trim() ?? `exit ${code}`
  )
}

function cases({ file, from, to }, run) {
  const args = ['--conditions=@callbox/source', '--import', './tests/websocket/mutate.mjs']
  const program = ['--import', 'tsx', 'tests/websocket/main.ts']
  const child = spawn(
    process.execPath,
    [...args, ...program, '--failures', '--bail', '--deadline', '4000', ...run],
    {
      cwd: root,
      env: {
        ...process.env,
        CALLBOX_MUTANT: JSON.stringify({ file: `${source}/${file}`, from, to }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A mutant may loop for ever.
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
    },
  )
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })))
}
