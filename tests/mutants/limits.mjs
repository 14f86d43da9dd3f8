// Shows that each limit is tested: takes one out at a time, and expects a test to fail.
//   in  -> `limits.table.mjs`; --rotate N: every N-th mutant only, another share each day;
//          --only TEXT: mutants whose limit or file contains it
//   out -> a line for each mutant; exit code 1 if a limit has none, one does not apply, or one survives
// Works in copies under .cache/mutants: the tree that you work in is only read.

import '../../scripts/help.mjs'
import { spawn } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { mutants } from './limits.table.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
// Of this run alone: another may go on beside it.
const copies = join(root, '.cache/mutants', String(process.pid))
const workers = 2
/** A mutant that makes a test hang is caught as well. */
const testTimeoutMs = 8_000
const mutantTimeoutMs = 120_000
const allTestsTimeoutMs = 900_000

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    rotate: { type: 'string' },
    only: { type: 'string' },
  },
})
/** Every limit has a mutant, every mutant a limit. */
function incomplete() {
  const source = readFileSync(join(root, 'packages/core/src/base/limits.ts'), 'utf8')
  const body = /export interface Limits \{(.*?)\n\}/s.exec(source)?.[1] ?? ''
  const names = [...body.matchAll(/^ {2}readonly (\w+): number$/gm)].map(([, name]) => name)
  if (names.length < 40) return [`only ${names.length} limits found in limits.ts`]
  const known = new Set(mutants.map(({ limit }) => limit))
  return [
    ...names.filter((name) => !known.has(name)).map((name) => `limit ${name} has no mutant`),
    ...[...known]
      .filter((name) => !names.includes(name) && !name.startsWith('transport: '))
      .map((name) => `${name} is no limit`),
    ...mutants.flatMap(({ limit, file, from }) => {
      const text = readFileSync(join(root, file), 'utf8')
      const times = text.split(from).length - 1
      return times === 1 ? [] : [`${limit}: its text stands ${times} times in ${file}: ${from}`]
    }),
  ]
}

/** Sources are copied, installed packages are linked to. */
function copyTree(to) {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  const options = {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !/\/(\.pnpm|dist|\.cache|\.vite|\.vite-temp)$/.test(path),
  }
  for (const entry of ['packages', 'tests', 'examples', 'package.json', 'vitest.config.ts'])
    cpSync(join(root, entry), join(to, entry), options)
  for (const entry of readdirSync(root))
    if (/^tsconfig.*\.json$/.test(entry)) cpSync(join(root, entry), join(to, entry))
  // Its links are relative, so that packages of the workspace lead to the copy.
  cpSync(join(root, 'node_modules'), join(to, 'node_modules'), options)
  symlinkSync(join(root, 'node_modules/.pnpm'), join(to, 'node_modules/.pnpm'))
}

const running = new Set()

/** Runs tests in a copy. Answers how many failed, passed, and what went wrong otherwise. */
function runTests(tree, tests, timeoutMs = mutantTimeoutMs) {
  const files = tests.map((test) => (typeof test === 'string' ? test : test[0]))
  const titles = tests.flatMap((test) => (typeof test === 'string' ? [] : [test[1]]))
  const report = join(tree, 'report.json')
  rmSync(report, { force: true })
  const args = [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...['unit', 'conformance', 'e2e', 'processes', 'packages'].flatMap((name) => [
      '--project',
      name,
    ]),
    ...files,
    ...(titles.length > 0 ? ['-t', titles.map(escaped).join('|')] : []),
    '--reporter=json',
    `--outputFile=${report}`,
    `--testTimeout=${testTimeoutMs}`,
  ]
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: tree,
      stdio: 'ignore',
      env: { ...process.env, CALLBOX_SIZES: 'local', CI: '' },
    })
    running.add(child)
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    child.on('exit', () => {
      clearTimeout(timer)
      running.delete(child)
      resolve(readReport(report))
    })
  })
}

function escaped(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function readReport(path) {
  try {
    const { testResults, numPassedTests } = JSON.parse(readFileSync(path, 'utf8'))
    const failed = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === 'failed')
    return { failed: failed.map(({ fullName }) => fullName), passed: numPassedTests }
  } catch {
    return { failed: [], passed: 0, broken: true }
  }
}

async function tryMutant(tree, mutant) {
  const path = join(tree, mutant.file)
  const original = readFileSync(path, 'utf8')
  // Not by a pattern: `$&` in the text would mean something.
  writeFileSync(path, original.split(mutant.from).join(mutant.to))
  try {
    return await runTests(tree, mutant.tests)
  } finally {
    writeFileSync(path, original)
  }
}

function chosen() {
  const { only, rotate } = values
  const wanted = mutants.filter(
    ({ limit, file }) => only === undefined || limit.includes(only) || file.includes(only),
  )
  if (rotate === undefined) return wanted
  const share = Number(rotate)
  const today = Math.floor(Date.now() / 86_400_000) % share
  console.log(`share ${today + 1} of ${share}, by the day; all of them: npm run mutants:limits`)
  return wanted.filter((_, at) => at % share === today)
}

async function main() {
  const problems = incomplete()
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) return 1
  const queue = chosen()
  const total = queue.length
  const trees = Array.from({ length: workers }, (_, at) => join(copies, String(at)))
  for (const tree of trees) copyTree(tree)
  // Without a mutant all of them pass: else every mutant would look caught.
  const all = [
    ...new Map(queue.flatMap(({ tests }) => tests).map((test) => [String(test), test])).values(),
  ]
  const groups = [
    all.filter((test) => typeof test === 'string'),
    all.filter((test) => typeof test !== 'string'),
  ]
  for (const group of groups.filter(({ length }) => length > 0)) {
    const before = await runTests(trees[0], group, allTestsTimeoutMs)
    if (before.failed.length === 0 && before.passed > 0) continue
    console.error(`without a mutant ${before.passed} tests pass and these fail:`)
    for (const title of before.failed) console.error(`  ${title}`)
    return 1
  }
  const survived = []
  let done = 0
  await Promise.all(
    trees.map(async (tree) => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const from = performance.now()
        const { failed, passed, broken } = await tryMutant(tree, mutant)
        done += 1
        const caught = failed.length > 0
        if (!caught) survived.push(mutant)
        const verdict = caught
          ? `caught by ${failed.length}`
          : broken
            ? 'BROKEN'
            : `SURVIVED ${passed} tests`
        const seconds = ((performance.now() - from) / 1_000).toFixed(1)
        console.log(`${done}/${total} ${mutant.limit} in ${mutant.file}: ${verdict}, ${seconds} s`)
      }
    }),
  )
  const limits = new Set(mutants.map(({ limit }) => limit)).size
  console.log(
    `${total - survived.length} of ${total} mutants caught (${limits} limits in the table)`,
  )
  return survived.length === 0 ? 0 : 1
}

function cleanUp() {
  for (const child of running) child.kill('SIGKILL')
  rmSync(copies, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    cleanUp()
    process.exit(1)
  })
try {
  process.exitCode = await main()
} finally {
  cleanUp()
}
