// A server under attack, attackers and client each in a process of their own: others are served, and
// the server's memory stays where its budget says.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createClient } from '@callbox/client'
import { tcp } from '@callbox/transport-tcp'
import { afterEach, expect, test } from 'vitest'
import { conf } from '@callbox/testing/conformance'
import { sizes } from '../sizes.ts'

const host = '127.0.0.1'
const MiB = 2 ** 20
const running: ChildProcess[] = []
afterEach(async () => {
  for (const child of running.splice(0).toReversed()) {
    if (child.exitCode !== null) continue
    const exit = once(child, 'exit')
    child.stdin!.end()
    await exit
  }
})

async function start(file: string, args: readonly string[]): Promise<[ChildProcess, string]> {
  const node = ['--conditions=@callbox/source', '--import', 'tsx', `tests/processes/${file}`]
  const child = spawn(process.execPath, [...node, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  running.push(child)
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return [child, line]
}

interface Report {
  readonly processBytes: number
  readonly rss: number
  readonly connections: number
  readonly hits: Readonly<Record<string, number>>
}

/** Asks the server of `server.ts` what it holds. */
async function ask(child: ChildProcess): Promise<Report> {
  const lines = createInterface({ input: child.stdout! })
  const answer = once(lines, 'line') as Promise<[string]>
  child.stdin!.write('report\n')
  const [line] = await answer
  lines.close()
  return JSON.parse(line) as Report
}

test('500 clients that never read: the others are served, the ledger stays below its budget [threat S5]', async () => {
  const budget = 64 * MiB
  const limits = JSON.stringify({ processBudget: budget, stallMs: 3_000, sessionGraceMs: 0 })
  const [server, line] = await start('server.ts', ['0', '0', limits])
  const { tcp: port } = JSON.parse(line) as { tcp: number }
  const client = createClient({ conf }, tcp({ host, port }))
  await client.conf.nothing()
  const { rss } = await ask(server)
  const [attackers] = await start('attackers.ts', [`${port}`, '500', 'stall'])
  const until = performance.now() + sizes.attackMs
  let [served, most, mostRss] = [0, 0, 0]
  let last = await ask(server)
  do {
    for (let call = 0; call < 20; call += 1) {
      expect(await client.conf.values(call)).toBe(call)
      served += 1
    }
    last = await ask(server)
    most = Math.max(most, last.processBytes)
    mostRss = Math.max(mostRss, last.rss)
  } while (performance.now() < until)
  // Nobody has room for 500 of them: some had to go, and the others are within the budget.
  expect((last.hits['processBudget'] ?? 0) + (last.hits['stallMs'] ?? 0)).toBeGreaterThan(0)
  expect(last.processBytes).toBeLessThan(1.1 * budget)
  expect(served).toBeGreaterThan(0)
  expect(most).toBeLessThan(1.1 * budget + 500 * 64 * 1024)
  // What was held by those who had to go waits for the collector: no more than that.
  expect(mostRss - rss).toBeLessThan(1_024 * MiB)
  expect(client.state).toBe('connected')
  await client.close()
  attackers.stdin!.end()
}, 120_000)

test('a mix of attacks from many connections at once: calls go on, memory is bounded [threat X4]', async () => {
  const limits = JSON.stringify({ processBudget: 128 * MiB, sessionGraceMs: 0, stallMs: 2_000 })
  const [server, line] = await start('server.ts', ['0', '0', limits])
  const { tcp: port } = JSON.parse(line) as { tcp: number }
  const client = createClient({ conf }, tcp({ host, port }))
  await client.conf.nothing()
  const { rss } = await ask(server)
  const [attackers] = await start('attackers.ts', [`${port}`, `${sizes.attackers}`, 'mix'])
  const until = performance.now() + sizes.attackMs
  let [mostRss, served] = [0, 0]
  let last = await ask(server)
  do {
    for (let call = 0; call < 20; call += 1) {
      expect(await client.conf.values(call)).toBe(call)
      served += 1
    }
    last = await ask(server)
    mostRss = Math.max(mostRss, last.rss)
    expect(last.processBytes).toBeLessThan(1.1 * 128 * MiB + 64 * 1024 * (sizes.attackers + 1))
  } while (performance.now() < until)
  expect(served).toBeGreaterThan(0)
  expect(mostRss - rss).toBeLessThan(400 * MiB)
  // The attacks were no shadow boxing.
  const some: unknown = expect.any(Number)
  expect(last.hits).toMatchObject({
    maxCalls: some,
    resetBudget: some,
    pingBurst: some,
    controlBudget: some,
  })
  const exit = once(attackers, 'exit')
  attackers.stdin!.end()
  await exit
  await expect.poll(async () => (await ask(server)).connections, { timeout: 20_000 }).toBe(1)
  expect(await client.conf.values('after')).toBe('after')
  await client.close()
  await expect.poll(async () => (await ask(server)).processBytes, { timeout: 10_000 }).toBe(0)
}, 180_000)
