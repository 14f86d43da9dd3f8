// A soak: one client on one connection for the whole run, and a new one per call, over TCP and WebSocket,
// through a bad network, in a process of its own.
//   in  -> `{ ms, faultMs }` as JSON: how long, and between two faults
//   out -> one line of JSON: `SoakReport`. The process then exits by itself

import { createClient, type Client } from '@callbox/client'
import type { Transport } from '@callbox/core'
import { createServer, implement, silent, type Server } from '@callbox/server'
import { createFaultProxy, type FaultProxy } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { unhurried } from '../unhurried.ts'
import { soak, type Footprint, type SoakReport } from './soak-report.ts'

const { ms, faultMs } = JSON.parse(process.argv[2] ?? '') as { ms: number; faultMs: number }
const host = '127.0.0.1'
// Faults are over soon, so that many fit: what is lost is noticed within 6 s, and parked for 8.
const limits = {
  ...unhurried,
  pingIntervalMs: 300,
  pingTimeoutMs: 500,
  sessionGraceMs: 8_000,
  connectMs: 2_000,
  callTimeoutMs: 60_000,
}
const pause = (delay: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delay))

type SoakClient = Client<{ soak: typeof soak }>

interface Line {
  readonly server: Server
  readonly proxy: FaultProxy
  readonly transport: Transport
  readonly client: SoakClient
}

const counts = { calls: 0, items: 0, faults: 0, wrong: 0, resumed: 0, lost: 0 }
let going = true

async function line(name: 'tcp' | 'ws'): Promise<Line> {
  const service = implement(soak, {
    double: (n) => 2 * n,
    bytes: (size) => new Uint8Array(size).fill(size & 0xff),
    count: async function* (to) {
      for (let n = 1; n <= to; n += 1) yield n
    },
    sum: async (_, { input }) => {
      let sum = 0
      for await (const n of input) sum += n
      return sum
    },
    note: () => undefined,
  })
  const server = createServer({ services: [service], logger: silent, limits })
  const on = name === 'tcp' ? tcp({ host, port: 0 }) : ws({ host, port: 0 })
  const { port } = await server.listen(on)
  const proxy = await createFaultProxy({ target: { host, port } })
  const transport =
    name === 'tcp' ? tcp({ host, port: proxy.port }) : ws(`ws://${host}:${proxy.port}/`)
  const client = createClient({ soak }, transport, { limits })
  client.on('resumed', () => (counts.resumed += 1))
  client.on('sessionLost', () => (counts.lost += 1))
  return { server, proxy, transport, client }
}

async function* upTo(to: number): AsyncGenerator<number> {
  for (let n = 1; n <= to; n += 1) yield n
}

function check(right: boolean): void {
  counts.calls += 1
  if (!right) counts.wrong += 1
}

/** Every kind of call on a client, once. */
async function round({ soak: calls }: SoakClient, n: number): Promise<void> {
  check((await calls.double(n)) === 2 * n)
  const size = (n * 7_919) % 150_000
  const bytes = await calls.bytes(size)
  check(bytes.length === size && bytes.every((byte) => byte === (size & 0xff)))
  let last = 0
  for await (const item of calls.count(50)) {
    if (item !== last + 1) counts.wrong += 1
    last = item
    counts.items += 1
  }
  check(last === 50)
  check((await calls.sum(upTo(50))) === 1_275)
  await calls.note(n)
}

async function onOne({ client }: Line): Promise<void> {
  for (let n = 0; going; n += 1) {
    await round(client, n)
    await pause(5)
  }
}

async function onNewOnes({ transport }: Line): Promise<void> {
  for (let n = 0; going; n += 1) {
    const client = createClient({ soak }, transport, { limits })
    check((await client.soak.double(n)) === 2 * n)
    await client.close()
    await pause(20)
  }
}

/** One fault after the other, of every kind. */
async function faults({ proxy }: Line): Promise<void> {
  const kinds: readonly (() => void | Promise<void>)[] = [
    () => proxy.reset(),
    () => proxy.cut(),
    () => proxy.blackhole(),
    () => proxy.halfOpen('near'),
    () => proxy.blackhole('down'),
    () => proxy.halfOpen('far'),
    () => proxy.blackhole('up'),
    async () => {
      proxy.stall()
      await pause(500)
      proxy.resume()
    },
  ]
  for (let nth = 0; going; nth += 1) {
    await kinds[nth % kinds.length]!()
    counts.faults += 1
    for (let waited = 0; waited < faultMs && going; waited += 50) await pause(50)
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    globalThis.gc?.()
    await pause(50)
  }
}

function footprint(lines: readonly Line[]): Footprint {
  const kinds: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) kinds[kind] = (kinds[kind] ?? 0) + 1
  return {
    heapUsed: process.memoryUsage().heapUsed,
    sockets: kinds['TCPSocketWrap'] ?? 0,
    servers: kinds['TCPServerWrap'] ?? 0,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    sessions: lines.reduce((sum, { server }) => sum + server.inspect().connections.length, 0),
    timers: lines.reduce(
      (sum, { server, client }) => sum + server.inspect().timers + client.inspect().timers,
      0,
    ),
  }
}

/** Everything stands still, and every link that was given up is gone: what is left then. */
async function rest(lines: readonly Line[], work: () => Promise<unknown>): Promise<Footprint> {
  await work()
  // What the faults have left half open is found by its silence, and parked for the grace.
  for (const each of lines) await each.client.soak.double(1)
  const quiet = (): boolean => {
    const { sessions, sockets } = footprint(lines)
    // Of a client, a server, and two of the proxy in between.
    return sessions === lines.length && sockets === 4 * lines.length
  }
  for (let waited = 0; !quiet() && waited < 60_000; waited += 100) await pause(100)
  await settled()
  return footprint(lines)
}

/** Works under faults for so long. */
async function workFor(lines: readonly Line[], duration: number): Promise<void> {
  going = true
  const work = lines.flatMap((each) => [onOne(each), onNewOnes(each), faults(each)])
  await pause(duration)
  going = false
  await Promise.all(work)
}

const lines = await Promise.all([line('tcp'), line('ws')])
const quarter = await rest(lines, () => workFor(lines, ms / 4))
const end = await rest(lines, () => workFor(lines, (ms * 3) / 4))
for (const { client, proxy, server } of lines) {
  await client.close()
  await server.close({ graceMs: 0 })
  await proxy.close()
}
console.log(JSON.stringify({ ...counts, quarter, end } satisfies SoakReport))
