// Servers that are killed, replaced and stopped under their clients, each in a process of its own.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { faultSizes, sizesName } from '../sizes.ts'
import {
  descriptorLimit,
  Program,
  type FleetClientsOptions,
  type FleetLimits,
  type FleetReport,
  type FleetReturn,
} from './fleet.ts'

let folder: string
let log: string
const programs: Program[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'callbox-'))
  log = join(folder, 'ran')
  await writeFile(log, '')
})
afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.exit('SIGKILL')))
  await rm(folder, { recursive: true })
})

async function startServer(port = 0, limits: FleetLimits = {}): Promise<[Program, number]> {
  const program = new Program('fleet-server.ts', { port, log, limits })
  programs.push(program)
  return [program, (await program.next<{ port: number }>()).port]
}

async function startClients(options: FleetClientsOptions): Promise<Program> {
  const program = new Program('fleet-clients.ts', options)
  programs.push(program)
  await program.next()
  return program
}

/** A machine on which a pause of a second takes longer has no time for clients either. */
const slowMs = 3_000

/** Figures are for whoever reads the log; a test may not use the console. */
const print = (text: string): void => void process.stdout.write(`${text}\n`)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Keys of calls that ran more than once. */
async function repeated(): Promise<readonly string[]> {
  const seen = new Set<string>()
  return (await readFile(log, 'utf8')).split('\n').filter((key) => {
    if (key === '' || !seen.has(key)) {
      seen.add(key)
      return false
    }
    return true
  })
}

const failuresOf = (report: FleetReport, method: string): readonly string[] =>
  Object.keys(report.failed).filter((key) => key.startsWith(method))

test(
  `rolling restart of three servers under steady calls: nothing fails, nothing runs twice [case C113] [threat G1]`,
  { timeout: 60_000 + faultSizes.rollingRounds * 60_000 },
  async () => {
    const servers = await Promise.all([startServer(), startServer(), startServer()])
    const ports = servers.map(([, port]) => port)
    const fleet = await startClients({ ports, clients: 30, everyMs: 60 })
    for (let round = 0; round < faultSizes.rollingRounds; round += 1)
      for (let which = 0; which < 3; which += 1) {
        const [old, port] = servers[which]!
        expect(await old.exit('SIGTERM'), `round ${round}`).toBe(0)
        servers[which] = await startServer(port)
      }
    const report = await fleet.ask<FleetReport>('stop')
    expect(await fleet.exit()).toBe(0)
    print(`${faultSizes.rollingRounds} rounds of three servers: ${JSON.stringify(report)}`)
    expect(await repeated()).toEqual([])
    expect(report.failed).toEqual({})
    expect(report.ok).toBeGreaterThan(100)
  },
)

test(
  `kill -9 and restart: all clients are back within 15 s, nothing ran twice [case C99] [threat G4] [threat R1] [threat X7]`,
  { timeout: 180_000 },
  async () => {
    const limit = descriptorLimit()
    const clients = Math.min(faultSizes.killedClients, Math.floor(limit * 0.8))
    const [first, port] = await startServer()
    const fleet = await startClients({ ports: [port], clients, everyMs: clients * 4 })
    // Ready before: how long a process takes to start here says more of the machine.
    const successor = new Program('fleet-server.ts', { port, log, waits: true })
    programs.push(successor)
    await successor.next()
    await pause(2_000)
    fleet.tell('mark')
    const killedAt = performance.now()
    await first.exit('SIGKILL')
    await pause(1_000)
    await successor.ask('listen')
    const awayMs = performance.now() - killedAt
    const { backMs, attempts } = await fleet.next<FleetReturn>()
    await pause(1_000)
    const report = await fleet.ask<FleetReport>('stop')
    expect(await fleet.exit()).toBe(0)
    const all = attempts.reduce((sum, each) => sum + each, 0)
    const most = Math.max(...attempts)
    print(
      `${clients} clients (descriptor limit ${limit}): server away for ${Math.round(awayMs)} ms, ` +
        `all back after ${Math.round(backMs)} ms, ${all} attempts, at most ${most} in 100 ms; ${JSON.stringify(report)}`,
    )
    expect(await repeated()).toEqual([])
    if (awayMs > slowMs)
      print(`no judgement of times: a pause of a second took ${Math.round(awayMs)} ms here`)
    else {
      expect(backMs).toBeLessThan(15_000)
      // Full jitter: without it all come in one tenth of a second.
      expect(most).toBeLessThan(clients * 0.5)
    }
    expect(failuresOf(report, 'again')).toEqual([])
    for (const key of Object.keys(report.failed)) expect(key).toMatch(/session_lost unknown$/)
    expect(report.lost).toBe(clients)
  },
)

const sides = ['server', 'clients'] as const

test('SIGSTOP of the server, or of its clients, for 5 s: nobody loses a link [case C111]', async () => {
  const reports = await Promise.all(sides.map((side) => stopped(side, 5_000, {})))
  for (const report of reports) {
    expect(report).toMatchObject({ failed: {}, resumed: 0, lost: 0, gaps: 0 })
    expect(report.items).toBeGreaterThan(50)
  }
  expect(await repeated()).toEqual([])
})

test(
  'SIGSTOP until the peers have given up: sessions resume, no gap, nothing twice [case C97] [case C111]',
  { timeout: 120_000 },
  async () => {
    // The long one has the limits of everyday; otherwise they fit the shorter time.
    const limits: FleetLimits = sizesName === 'nightly' ? {} : { preset: 'fast' }
    const reports = await Promise.all(
      sides.map((side) => stopped(side, faultSizes.stoppedMs, limits)),
    )
    for (const report of reports) {
      expect(report).toMatchObject({ failed: {}, lost: 0, gaps: 0 })
      expect(report.resumed).toBeGreaterThanOrEqual(10)
      expect(report.items).toBeGreaterThan(50)
    }
    expect(await repeated()).toEqual([])
  },
)

/** Ten clients that call and read all the time, and what they say of a stop of one side. */
async function stopped(
  side: (typeof sides)[number],
  ms: number,
  limits: FleetLimits,
): Promise<FleetReport> {
  const [server, port] = await startServer(0, limits)
  const load = { clients: 10, everyMs: 100, stream: true }
  const fleet = await startClients({ ports: [port], ...load, limits })
  await pause(1_000)
  const { child } = side === 'server' ? server : fleet
  child.kill('SIGSTOP')
  await pause(ms)
  child.kill('SIGCONT')
  await pause(3_000)
  return fleet.ask<FleetReport>('stop')
}
