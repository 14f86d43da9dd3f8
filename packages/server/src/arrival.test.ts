// From a link to a connection, on the virtual clock: one budget of time, and few strangers at once.

import { createClient, safe } from '@callbox/client'
import { contract, unary } from '@callbox/core'
import { memory, VirtualClock } from '@callbox/testing'
import * as T from 'typebox'
import { afterEach, describe, expect, test } from 'vitest'
import { byHand, type ByHand } from '../../../tests/by-hand.ts'
import { createServer, implement, MetricsRegistry, silent, type Server } from './index.ts'

const ping = contract('ping', { now: unary({ output: T.Integer() }) })
const services = [implement(ping, { now: () => 7 })]

const open: Server[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close({ graceMs: 0 })
})

async function serve(
  options: Pick<Parameters<typeof byHand>[0], 'limits' | 'logger'> = {},
): Promise<ByHand> {
  const world = await byHand({ services, ...options })
  open.push(world.server)
  return world
}

describe('handshakeMs', () => {
  test('counts from accept: what the transport took is gone [threat H4]', async () => {
    const { clock, metrics, server, stranger } = await serve()
    const quick = stranger()
    const slow = stranger(4_000)
    const late = stranger(60_000)
    await clock.advance(1)
    expect([quick.closed, slow.closed, late.closed]).toEqual([undefined, undefined, ''])
    await clock.advance(998)
    expect(slow.closed).toBeUndefined()
    await clock.advance(1)
    expect([quick.closed, slow.closed]).toEqual([undefined, ''])
    await clock.advance(3_999)
    expect(quick.closed).toBeUndefined()
    await clock.advance(1)
    expect(quick.closed).toBe('')
    expect(metrics.counter('limit_hits', 'handshakeMs')).toBe(3)
    expect(server.inspect()).toMatchObject({ arriving: 0, connections: [] })
  })

  test('an authenticate that never settles is cut off by it [threat H11]', async () => {
    const transport = memory()
    const clock = new VirtualClock()
    const server = createServer({
      services,
      clock,
      logger: silent,
      authenticate: () => new Promise<never>(() => undefined),
    })
    open.push(server)
    await server.listen(transport)
    const client = createClient({ ping }, transport, { clock })
    const call = safe(client.ping.now())
    await clock.advance(4_999)
    expect(server.inspect().arriving).toBe(1)
    await clock.advance(1)
    expect(server.inspect().arriving).toBe(0)
    expect((await call)[0]).toMatchObject({ code: 'unauthenticated', processed: 'no' })
    await client.close()
  })
})

test.each<[string, () => never | Promise<never>]>([
  [
    'throws',
    () => {
      throw new Error('secret')
    },
  ],
  ['rejects', () => Promise.reject(new Error('secret'))],
  [
    'throws null',
    () => {
      // oxlint-disable-next-line typescript/only-throw-error -- users can.
      throw null
    },
  ],
  [
    'throws what throws when it is looked at',
    () => {
      throw new Proxy(new Error('secret'), {
        get() {
          throw new Error('worse')
        },
        getPrototypeOf() {
          throw new Error('worse')
        },
      })
    },
  ],
])('an authenticate that %s refuses, without its text [threat H11]', async (_, authenticate) => {
  const transport = memory()
  const server = createServer({ services, logger: silent, authenticate })
  open.push(server)
  await server.listen(transport)
  const client = createClient({ ping }, transport)
  const [error] = await safe(client.ping.now())
  expect(error).toMatchObject({ code: 'unauthenticated', processed: 'no' })
  expect(error!.message).not.toContain('secret')
  expect(server.inspect()).toMatchObject({ arriving: 0, connections: [] })
  await client.close()
})

describe('maxPreAuth', () => {
  test('a transport that asks is told; one that does not loses the link [threat X1]', async () => {
    const { clock, metrics, server, terms, stranger } = await serve({ limits: { maxPreAuth: 2 } })
    const first = stranger()
    expect(terms.full!()).toBeUndefined()
    stranger()
    expect(terms.full!()).toBe('maxPreAuth')
    const third = stranger()
    await clock.advance(0)
    expect(third.closed).toBe('the peer aborted')
    expect(metrics.counter('limit_hits', 'maxPreAuth')).toBe(1)
    expect(server.inspect().arriving).toBe(2)
    first.link.abort()
    await clock.advance(0)
    expect(terms.full!()).toBeUndefined()
  })

  test('those who are in do not count', async () => {
    const transport = memory()
    const server = createServer({ services, logger: silent, limits: { maxPreAuth: 1 } })
    open.push(server)
    await server.listen(transport)
    const clients = Array.from({ length: 5 }, () => createClient({ ping }, transport))
    for (const client of clients) expect(await client.ping.now()).toBe(7)
    await Promise.all(clients.map((client) => client.close()))
  })
})

test('a refusal by a transport is counted and logged with limit and value', async () => {
  const lines: unknown[] = []
  const { metrics, terms } = await serve({
    logger: (_, event, fields) => void lines.push([event, fields]),
    limits: { maxConnections: 3 },
  })
  terms.onRefused!('maxConnections')
  expect(metrics.counter('limit_hits', 'maxConnections')).toBe(1)
  expect(lines).toEqual([
    ['link refused', { transport: 'hand', reason: 'over limits.maxConnections (3)' }],
  ])
})

test('the limits of a link go to the transport', async () => {
  const { terms } = await serve({
    limits: { maxHello: 1_001, frameMs: 1_002, pingBurst: 1_003, maxFragments: 1_004 },
  })
  expect(terms).toMatchObject({
    maxFirstFrame: 1_001,
    frameMs: 1_002,
    pingBurst: 1_003,
    maxFragments: 1_004,
    handshakeMs: 5_000,
    maxConnections: 10_000,
  })
})

test('a connection of maxConnectionAgeMs is drained, and calls go on over the next', async () => {
  const transport = memory()
  const clock = new VirtualClock()
  const metrics = new MetricsRegistry()
  const limits = { maxConnectionAgeMs: 60_000 }
  const server = createServer({ services, clock, metrics, logger: silent, limits })
  open.push(server)
  await server.listen(transport)
  const client = createClient({ ping }, transport, { clock })
  expect(await client.ping.now()).toBe(7)
  await clock.advance(53_999)
  expect(metrics.counter('connections_closed', 'cancelled')).toBe(0)
  await clock.advance(12_001)
  expect(server.inspect().connections.length).toBeLessThanOrEqual(1)
  const again = client.ping.now()
  await clock.advance(2_000)
  expect(await again).toBe(7)
  const { counters } = metrics.snapshot()
  expect(counters['connections_opened{memory}']).toBe(2)
  // By whichever side was first to see that nothing runs any more.
  const closed = Object.keys(counters).filter((name) => name.startsWith('connections_closed'))
  expect(closed.map((name) => counters[name])).toEqual([1])
  await client.close()
})
