// Bulk over lines of 100 Mbit/s, on the virtual clock: how much of the line it gets, and what a small
// call beside it pays. What real sockets do is in tests/timing.

import { createClient } from '@callbox/client'
import { Bytes, clientStream, contract, serverStream, unary } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { VirtualClock } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { lineTransport } from './line.ts'

const bitsPerSecond = 100_000_000
/** One fragment, and the largest message that there may be. */
const [small, large] = [new Uint8Array(64 * 1024 - 8), new Uint8Array(4 * 1024 * 1024 - 8)]

const bulk = contract('bulk', {
  ping: unary({}),
  up: clientStream({ input: Bytes(), output: T.Integer() }),
  down: serverStream({ output: Bytes() }),
})

interface Measured {
  /** Of the line, between the two moments. */
  readonly share: number
  /** Of small calls in that time, in milliseconds. */
  readonly p95Ms: number
  /** The round trip of a small call on the line while nothing else goes. */
  readonly idleMs: number
}

async function measure(
  way: 'up' | 'down',
  delayMs: number,
  fromMs: number,
  toMs: number,
  item: Uint8Array<ArrayBuffer> = small,
): Promise<Measured> {
  const clock = new VirtualClock()
  const transport = lineTransport(clock, { delayMs, bitsPerSecond })
  let received = 0
  const service = implement(bulk, {
    ping: () => undefined,
    up: async (_, { input }) => {
      for await (const bytes of input) received += bytes.length
      return 0
    },
    down: async function* () {
      while (true) yield item
    },
  })
  const server = createServer({
    services: [service],
    logger: silent,
    clock,
    limits: { maxLagMs: 600_000 },
  })
  await server.listen(transport)
  const client = createClient({ bulk }, transport, { clock })
  const times: number[] = []
  const ping = async (): Promise<void> => {
    const from = clock.now()
    await client.bulk.ping()
    times.push(clock.now() - from)
  }
  const first = ping()
  await clock.advance(20 * delayMs)
  await first
  const idle = ping()
  await clock.advance(20 * delayMs)
  await idle
  const idleMs = times.pop()!
  const began = clock.now()
  async function* upload(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    while (true) yield item
  }
  const stream = way === 'down' ? client.bulk.down() : undefined
  const done = (async () => {
    if (stream === undefined) await client.bulk.up(upload())
    else for await (const bytes of stream) received += bytes.length
  })().catch(() => undefined)
  await clock.advance(fromMs)
  const before = received
  times.length = 0
  const calls: Promise<void>[] = []
  for (let at = fromMs; at < toMs; at += 50) {
    calls.push(ping())
    await clock.advance(50)
  }
  const share = ((received - before) * 8_000) / (clock.now() - began - fromMs) / bitsPerSecond
  await clock.advance(2_000)
  await Promise.all(calls)
  const sorted = times.toSorted((a, b) => a - b)
  const p95Ms = sorted[Math.floor(sorted.length * 0.95)]!
  await Promise.all([client.close(), clock.advance(5_000)])
  await Promise.all([done, server.close({ graceMs: 0 }), clock.advance(5_000)])
  return { share, p95Ms, idleMs }
}

test.each(['up', 'down'] as const)(
  '200 ms there and back, %s: at least four fifths of the line within 3 s [case C82]',
  { timeout: 120_000 },
  async (way) => {
    const { share } = await measure(way, 100, 3_000, 5_000)
    expect(share).toBeGreaterThanOrEqual(0.8)
  },
)

test.each(['up', 'down'] as const)(
  '20 ms, %s: nine tenths of the line, a small call pays 50 ms at most [case C82]',
  { timeout: 120_000 },
  async (way) => {
    const { share, p95Ms, idleMs } = await measure(way, 10, 1_000, 3_000)
    expect(share).toBeGreaterThanOrEqual(0.9)
    expect(p95Ms).toBeLessThanOrEqual(idleMs + 50)
  },
)

test.each(['up', 'down'] as const)(
  'items of 4 MiB, %s: a PING pays 50 ms at most [case C86]',
  { timeout: 120_000 },
  async (way) => {
    // 3 s of the line are 9 items.
    const { share, p95Ms, idleMs } = await measure(way, 10, 1_000, 4_000, large)
    expect(share).toBeGreaterThanOrEqual(0.8)
    expect(p95Ms).toBeLessThanOrEqual(idleMs + 50)
  },
)
