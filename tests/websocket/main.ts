// Runs the WebSocket cases and prints a table of them.
//   in  -> --role, --url of an echo server, --port for clients from elsewhere, --list, --only, ...
//   out -> a line a case: name, section, title, passed or failed; exit code 1 for a failure

import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { casesOf, type NamedCase } from './cases.ts'
import { Reception } from './drive-client.ts'
import { receive, runAll, runClient, runServer, runServerAt, type Result } from './run.ts'
import type { Role } from './wire.ts'

const help = `Cases of RFC 6455 and RFC 7692, as raw bytes.
  --role server|client|both   which end is tested; default both
  --url ws://host:port/path   any echo server, instead of that of Callbox
  --port N                    waits 5 minutes for an echo client to dial ws://127.0.0.1:N/1, /2, ...
  --list                      prints the cases, runs none
  --only NAME                 a family, or a case: utf8, close.3; all that begin so: deflate-
  --split                     bytes one by one, in memory
  --failures                  prints the failed cases alone
  --deadline MS               what a case may take; default 30000
  --bail                      ends at the first failure`

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg, at) => !(at === 0 && arg === '--')),
  options: {
    role: { type: 'string', default: 'both' },
    url: { type: 'string' },
    port: { type: 'string' },
    list: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    split: { type: 'boolean', default: false },
    failures: { type: 'boolean', default: false },
    deadline: { type: 'string', default: '30000' },
    bail: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

async function main(): Promise<void> {
  if (values.help) return console.log(help)
  let failed = 0
  for (const role of rolesOf(values)) {
    const cases = casesOf(role).filter(isWanted)
    if (values.list) {
      for (const one of cases) print(role, one, '')
      continue
    }
    const started = performance.now()
    const results = await run(role, cases)
    const faults = results.filter(({ fault }) => fault !== undefined)
    for (const { one, fault } of values.failures ? faults : results)
      print(role, one, fault === undefined ? 'passed' : `FAILED  ${fault}`)
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    const left = cases.length - results.length
    console.log(
      `${role}: ${results.length - faults.length} passed, ${faults.length} failed` +
        `${left === 0 ? '' : `, ${left} not run`}, ${seconds} s`,
    )
    failed += faults.length
    if (values.bail && failed > 0) break
  }
  process.exitCode = failed === 0 ? 0 : 1
}

/** `close` is a family, `close.3` a case, `utf8-` the beginning of two families. */
function isWanted({ name, family }: NamedCase): boolean {
  const { only } = values
  return only.includes('.')
    ? name === only
    : family === only || (/-$|^$/.test(only) && name.startsWith(only))
}

function rolesOf({ role, url, port }: typeof values): readonly Role[] {
  if (url !== undefined) return ['server']
  if (port !== undefined) return ['client']
  if (role === 'both') return ['server', 'client']
  if (role === 'server' || role === 'client') return [role]
  throw new Error(`--role is server, client or both, not '${role}'`)
}

/** What a stranger is set up like is not known: only the cases of the usual settings are run. */
function forStrangers(cases: readonly NamedCase[]): readonly NamedCase[] {
  return cases.filter(({ profile = 'echo' }) => profile === 'echo')
}

function run(role: Role, cases: readonly NamedCase[]): Promise<readonly Result[]> {
  const { url, port, split, bail } = values
  const options = { split, bail, deadlineMs: Number(values.deadline) }
  if (url !== undefined) return runServerAt(new URL(url), forStrangers(cases), options)
  if (port !== undefined) return runStrangers(Number(port), forStrangers(cases))
  return role === 'server' ? runServer(cases, options) : runClient(cases, options)
}

/** Settles when a client has been to every path. */
async function runStrangers(port: number, cases: readonly NamedCase[]): Promise<readonly Result[]> {
  const reception = new Reception(10_000)
  const server = await receive(reception, port)
  const runs = new Map(cases.map((one, at) => [one.name, reception.expect(`/${at + 1}`, one)]))
  const base = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  console.log(`dial ${base}/1 to ${base}/${cases.length}`)
  for (const run of runs.values()) run.catch(() => undefined)
  const patience = setTimeout(() => reception.giveUp(), 300_000)
  try {
    return await runAll(cases, ({ name }) => runs.get(name)!)
  } finally {
    clearTimeout(patience)
    server.close()
  }
}

function print(role: Role, { name, section, title }: NamedCase, how: string): void {
  const first = title.length > 96 ? `${title.slice(0, 93)}...` : title
  console.log(
    `${role}  ${name.padEnd(18)} ${section.padEnd(18)} ${first.padEnd(96)}  ${how}`.trimEnd(),
  )
}

await main()
