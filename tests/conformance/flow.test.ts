// Flow control and retries of the whole stack, on memory, TCP and WebSocket: what the numbers of
// `inspect()` say while calls run, and that nothing is left after them.

import { createClient, MetricsRegistry, RpcError, safe } from '@callbox/client'
import {
  bidi,
  Bytes,
  clientStream,
  contract,
  serverStream,
  unary,
  type Limits,
} from '@callbox/core'
import type { Transport } from '@callbox/core'
import { createServer, implement, silent, type ListeningOn } from '@callbox/server'
import { memory } from '@callbox/testing'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import * as T from 'typebox'
import { afterEach, describe, expect, test } from 'vitest'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
const MiB = 1024 * 1024

const flow = contract('flow', {
  echo: unary({ input: Bytes(), output: Bytes() }),
  down: serverStream({ input: T.Integer(), output: Bytes() }),
  up: clientStream({ input: Bytes(), output: T.Integer() }),
  both: bidi({ input: Bytes(), output: Bytes() }),
  flaky: unary({ input: T.Object({ times: T.Integer(), code: T.String() }), output: T.Integer() }),
  again: unary({
    input: T.Object({ times: T.Integer(), code: T.String() }),
    output: T.Integer(),
    idempotent: true,
  }),
})

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface Dialled {
  readonly listen: Transport
  readonly dial: (on: ListeningOn) => Transport
}

const transports: Readonly<Record<string, () => Dialled>> = {
  memory: () => {
    const transport = memory()
    return { listen: transport, dial: () => transport }
  },
  tcp: () => ({ listen: tcp({ host, port: 0 }), dial: ({ port }) => tcp({ host, port }) }),
  ws: () => ({
    listen: ws({ host, port: 0 }),
    dial: ({ port }) => ws(`ws://${host}:${port}`),
  }),
}

async function world(name: string, limits: Partial<Limits> = {}) {
  const { listen, dial } = transports[name]!()
  let runs = 0
  const flaky = ({ times, code }: { times: number; code: string }): number => {
    runs += 1
    if (runs <= times) throw new RpcError(code as 'unavailable', 'not yet', { retryAfterMs: 1 })
    return runs
  }
  const service = implement(flow, {
    echo: (bytes) => bytes,
    down: async function* (items) {
      for (let item = 0; item < items; item += 1) yield new Uint8Array(MiB).fill(item)
    },
    up: async (_, { input }) => {
      let size = 0
      for await (const bytes of input) size += bytes.length
      return size
    },
    both: async function* (_, { input }) {
      yield* input
    },
    flaky,
    again: flaky,
  })
  const server = createServer({
    services: [service],
    logger: silent,
    limits: { ...unhurried, ...limits },
  })
  const listening = await server.listen(listen)
  const metrics = new MetricsRegistry()
  const client = createClient({ flow }, dial(listening), { limits, metrics })
  closers.push(
    () => server.close({ graceMs: 0 }),
    () => client.close(),
  )
  return { server, client, metrics }
}

type World = Awaited<ReturnType<typeof world>>

/** Nothing is open, queued, held or promised; only the ring may wait for its acknowledgment. */
async function isIdle({ server, client }: World): Promise<void> {
  const idle = {
    calls: { made: 0, served: 0, waitingForSlot: 0, waitingForBudget: 0 },
    bytes: { buffered: 0, held: 0, waiting: 0, reserved: 0 },
    windows: { tuned: 0, waiting: 0 },
    queued: 0,
  }
  await expect.poll(() => client.inspect().connection).toMatchObject(idle)
  await expect.poll(() => server.inspect().connections[0]).toMatchObject(idle)
}

describe.each(Object.keys(transports))('over %s', (name) => {
  test('eight messages of 4 MiB at once with the least window [case C76]', async () => {
    const w = await world(name, { window: 128 * 1024 })
    const big = new Uint8Array(4 * MiB - 64).fill(7)
    const answers = await Promise.all(Array.from({ length: 8 }, () => w.client.flow.echo(big)))
    expect(answers.map(({ length }) => length)).toEqual(new Array(8).fill(big.length))
    await isIdle(w)
  })

  test('half-read and unread large streams do not block a small call [case C77]', async () => {
    const w = await world(name)
    const unread = Array.from({ length: 20 }, () => w.client.flow.down(30))
    for (const items of unread) await items.next()
    expect(await w.client.flow.echo(new Uint8Array(9))).toHaveLength(9)
    const { bytes } = w.client.inspect().connection!
    // A window and one message each, at the most.
    expect(bytes.buffered).toBeLessThan(20 * (MiB + 300 * 1024))
    for (const items of unread) items.cancel()
    await isIdle(w)
  })

  test('an upload and a download of 25 MiB each, both ways at once [case C87]', async () => {
    const w = await world(name)
    const item = new Uint8Array(MiB).fill(1)
    async function* upload() {
      for (let n = 0; n < 25; n += 1) yield item
    }
    const up = w.client.flow.up(upload())
    let down = 0
    for await (const bytes of w.client.flow.down(25)) {
      expect(bytes[bytes.length - 1]).toBe(down / MiB)
      down += bytes.length
    }
    expect([await up, down]).toEqual([25 * MiB, 25 * MiB])
    expect(w.client.inspect().connection!.roundTripMs).toBeGreaterThanOrEqual(0)
    await isIdle(w)
  })

  test('a call that says it may be sent again is, within its attempts', async () => {
    const w = await world(name)
    expect(await w.client.flow.again({ times: 2, code: 'unavailable' })).toBe(3)
    expect(w.metrics.counter('calls_retried', 'flow.again')).toBe(2)
    await isIdle(w)
  })

  test('one that does not is not, nor one whose code would come again', async () => {
    const w = await world(name)
    const [error] = await safe(w.client.flow.flaky({ times: 1, code: 'unavailable' }))
    expect(error).toMatchObject({ code: 'unavailable', processed: 'yes', retryAfterMs: 1 })
    const [other] = await safe(w.client.flow.again({ times: 9, code: 'aborted' }))
    expect(other?.code).toBe('aborted')
    expect(w.metrics.counter('calls_failed', 'aborted')).toBe(1)
  })

  test('more attempts than maxAttempts fail with the last error', async () => {
    const w = await world(name)
    const [error] = await safe(w.client.flow.again({ times: 9, code: 'unavailable' }))
    expect(error).toMatchObject({ code: 'unavailable', processed: 'yes' })
    expect(w.metrics.counter('calls_retried', 'flow.again')).toBe(2)
  })

  test('one slot at the server: calls go one after the other [case C85]', async () => {
    const w = await world(name, { maxCalls: 1 })
    const calls = Array.from({ length: 10 }, (_, n) => w.client.flow.echo(new Uint8Array(n)))
    expect((await Promise.all(calls)).map(({ length }) => length)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ])
    await isIdle(w)
  })
})
