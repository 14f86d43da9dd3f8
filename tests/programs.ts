// Finds programs that tests need and a machine may lack.
//   in  -> a name, how to see that it will do
//   out -> its path; or undefined and a line that says what is skipped. With CI set that is a failure

import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { browserRequired } from './chromium.ts'

/** Where systems keep servers, which are not on everybody's PATH. */
const folders = ['/usr/local/sbin', '/usr/sbin', '/sbin']

export interface Program {
  readonly name: string
  /** The package of Debian that has it. */
  readonly debian: string
  /** What is skipped without it. */
  readonly tests: string
  /** Run once, it must exit with 0. */
  readonly check: readonly string[]
}

/** Throws where CI is set and there is none: a test that is never run proves nothing. */
export function findProgram(program: Program): string | undefined {
  const found = candidates(program.name).find(
    (path) => spawnSync(path, [...program.check], { stdio: 'ignore' }).status === 0,
  )
  if (found !== undefined) return found
  const text = `no ${program.debian} found (Debian package ${program.debian})`
  if (browserRequired) throw new Error(`${text}: with CI set, ${program.tests} must run`)
  console.warn(`skipped, ${text}: ${program.tests}`)
  return undefined
}

/** Of PATH, or as `npm run runtimes` has fetched it. With CI set it is fetched now. */
export function findBun(tests: string): string | undefined {
  const fetched = (existsSync('.cache') ? readdirSync('.cache') : [])
    .filter((name) => name.startsWith('bun-'))
    .map((name) => join('.cache', name, 'node_modules', '.bin', 'bun'))
  const found = [...fetched.filter(isExecutable), ...candidates('bun')][0]
  if (found !== undefined) return found
  if (browserRequired) return fetchBun(tests)
  console.warn(`skipped, no bun found (npm run runtimes -- bun fetches it): ${tests}`)
  return undefined
}

function fetchBun(tests: string): string {
  const code =
    "import { runtimes } from './scripts/runtime-binaries.mjs'; console.log(await runtimes.get('bun').binary())"
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`bun could not be fetched: with CI set, ${tests} must run`)
  return stdout.trim()
}

/** The system's own comes first: packages of Debian are seen by it alone. */
function candidates(name: string): readonly string[] {
  const paths = ['/usr/bin', ...(process.env['PATH'] ?? '').split(delimiter), ...folders]
  return paths
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .filter(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
