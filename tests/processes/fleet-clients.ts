// Many clients in one process: they connect, call and read until told to stop.
//   in  -> `FleetClientsOptions` as JSON; on the input: `mark` (the server dies now), `stop`
//   out -> lines of JSON: `{ ready }`; after `mark` a `FleetReturn`; after `stop` a `FleetReport`

import { createInterface } from 'node:readline'
import { createClient, safe, type Client, type RpcError } from '@callbox/client'
import type { Transport } from '@callbox/core'
import { tcp } from '@callbox/transport-tcp'
import { fleet, type FleetClientsOptions, type FleetReport, type FleetReturn } from './fleet.ts'

const options = JSON.parse(process.argv[2] ?? '') as FleetClientsOptions
/** So many handshakes at once: a server has five seconds for each. */
const atOnce = 100

const say = (value: object): void => console.log(JSON.stringify(value))
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const counts = { ok: 0, resumed: 0, lost: 0, gaps: 0, items: 0 }
const failed: Record<string, number> = {}
let stopping = false
let markedAt: number | undefined
let attempts: number[] = []
const away = new Set<number>()

let next = 0
const transports = options.ports.map((port) => tcp({ host: '127.0.0.1', port }))

/** A server after the other; what is dialed is counted. */
const transport: Transport = {
  name: 'fleet',
  target: 'fleet',
  dial: (terms) => {
    if (markedAt !== undefined) {
      const tenth = Math.floor((performance.now() - markedAt) / 100)
      attempts[tenth] = (attempts[tenth] ?? 0) + 1
    }
    next += 1
    return transports[next % transports.length]!.dial!(terms)
  },
}

type FleetClient = Client<{ fleet: typeof fleet }>

function connect(index: number): FleetClient {
  const client = createClient({ fleet }, transport, {
    limits: { callTimeoutMs: 120_000, ...options.limits },
  })
  client.on('resumed', () => (counts.resumed += 1))
  client.on('sessionLost', () => (counts.lost += 1))
  client.on('state', ({ state }) => {
    if (state !== 'connected') return
    away.delete(index)
    if (markedAt === undefined || away.size > 0) return
    const backMs = performance.now() - markedAt
    markedAt = undefined
    say({ backMs, attempts: Array.from(attempts, (each) => each ?? 0) } satisfies FleetReturn)
  })
  return client
}

function onFailure(method: string, { code, processed }: RpcError): void {
  const key = `${method} ${code} ${processed}`
  failed[key] = (failed[key] ?? 0) + 1
}

/** One call after the other, each with a key of its own. */
async function call(client: FleetClient, index: number): Promise<void> {
  const methods = ['once', 'again', 'slow'] as const
  for (let n = 0; !stopping; n += 1) {
    await pause(options.everyMs * (0.5 + Math.random()))
    const method = methods[n % methods.length]!
    const key = `${process.pid}-${index}-${n}`
    const [error, answer] = await safe(client.fleet[method](key))
    if (error !== undefined) onFailure(method, error)
    else if (answer === key) counts.ok += 1
    else onFailure(method, { code: 'wrong answer', processed: 'yes' } as unknown as RpcError)
  }
}

async function read(client: FleetClient): Promise<void> {
  let last = 0
  try {
    for await (const n of client.fleet.ticks()) {
      if (n !== last + 1) counts.gaps += 1
      last = n
      counts.items += 1
      if (stopping) break
    }
  } catch (error) {
    onFailure('ticks', error as RpcError)
  }
}

const clients: FleetClient[] = []
for (let from = 0; from < options.clients; from += atOnce) {
  const wave = Array.from({ length: Math.min(atOnce, options.clients - from) }, (_, n) =>
    connect(from + n),
  )
  await Promise.all(wave.map((client) => client.fleet.again('first')))
  clients.push(...wave)
}
say({ ready: clients.length })

const work = clients.flatMap((client, index) => [
  ...(options.everyMs > 0 ? [call(client, index)] : []),
  ...(options.stream === true ? [read(client)] : []),
])

const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  if (line === 'mark') {
    attempts = []
    clients.forEach((_, index) => away.add(index))
    markedAt = performance.now()
  } else void stop()
})
input.on('close', () => void stop())

async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  await Promise.all(work)
  say({ ...counts, failed } satisfies FleetReport)
  await Promise.all(clients.map((client) => client.close()))
  input.close()
  process.stdin.destroy()
}
