// Limits of a connection, each by its own error path: the error says which limit it was, the metric
// counts it, and others are served.

import { clientStream, contract, event, serverStream, unary } from '@callbox/core'
import {
  errorOf,
  fromMsgpack,
  goAwayOf,
  rawData,
  rawFrame,
  rawHello,
  rawNotify,
  rawPing,
  rawRequest,
  toMsgpack,
  u32,
} from '@callbox/testing/node'
import * as T from 'typebox'
import { afterEach, describe, expect, test } from 'vitest'
import { byHand, type ByHand, type Stranger } from '../../../tests/by-hand.ts'
import { implement, type Server } from './index.ts'

const all = contract('all', {
  nothing: unary({}),
  any: unary({ input: T.Unknown() }),
  bytes: serverStream({ output: T.String() }),
  sink: clientStream({ input: T.Unknown() }),
  stuck: clientStream({ input: T.Unknown() }),
  fail: unary({ errors: { Full: T.Object({ text: T.String() }) } }),
  hang: unary({}),
  note: event({ input: T.Unknown() }),
})
const KiB = 1024
const type = { ping: 3, ack: 5, goAway: 6, data: 0x11, error: 0x13 } as const
const logged: Readonly<Record<string, unknown>>[] = []

const services = [
  implement(all, {
    nothing: () => undefined,
    any: () => undefined,
    bytes: async function* () {
      for (;;) yield 'x'.repeat(60 * KiB)
    },
    sink: async (_, { input }) => {
      for await (const item of input) void item
    },
    stuck: () => new Promise<void>(() => undefined),
    fail: (_, { errors }) => {
      throw errors.Full({ text: 'x'.repeat(9 * KiB) })
    },
    hang: () => new Promise<void>(() => undefined),
    note: () => undefined,
  }),
]

const open: Server[] = []
afterEach(async () => {
  logged.length = 0
  for (const server of open.splice(0)) await server.close({ graceMs: 0 })
})

async function serve(limits: Parameters<typeof byHand>[0]['limits'] = {}): Promise<ByHand> {
  const world = await byHand({
    services,
    limits: { sessionGraceMs: 0, ...(typeof limits === 'object' ? limits : { preset: limits }) },
    logger: (_, __, fields) => void logged.push(fields),
  })
  open.push(world.server)
  return world
}

async function isServed(world: ByHand): Promise<void> {
  const peer = await world.peer()
  peer.send(rawRequest({ id: 1, method: 'all.nothing' }))
  await world.clock.settle()
  expect(peer.of(type.data)).toHaveLength(1)
  peer.link.abort()
}

/** The connection was ended with this reason. */
async function isCut(world: ByHand, peer: Stranger, reason: string): Promise<void> {
  await world.clock.settle()
  const [goAway] = peer.of(type.goAway)
  expect(goAway, 'a GOAWAY').toBeDefined()
  expect(goAwayOf(goAway!).map).toMatchObject({ reason: expect.stringContaining(reason) })
  expect(world.server.inspect().connections).toEqual([])
  await isServed(world)
}

/** One call failed with this text, and the connection goes on. */
async function isRefused(world: ByHand, peer: Stranger, id: number, text: string): Promise<void> {
  await world.clock.settle()
  const error = peer.of(type.error).find((frame) => frame.id === id)
  expect(error, 'an ERROR').toBeDefined()
  expect(errorOf(error!).body).toEqual([expect.stringContaining(text)])
  peer.send(rawRequest({ id: id + 2, method: 'all.nothing' }))
  await world.clock.settle()
  expect(peer.of(type.data).some((frame) => frame.id === id + 2)).toBe(true)
}

const name = (method: string): Uint8Array => Uint8Array.of(method.length, ...Buffer.from(method))
const hits = (world: ByHand, limit: string): number => world.metrics.counter('limit_hits', limit)

describe('frames and messages', () => {
  test('maxFrame holds whatever the transport let through', async () => {
    const world = await serve({ maxFrame: 20_000 })
    const peer = await world.peer()
    peer.send(rawRequest({ id: 1, method: 'all.any', value: new Uint8Array(19_900) }))
    await world.clock.settle()
    expect(peer.of(type.data)).toHaveLength(1)
    peer.send(rawRequest({ id: 3, method: 'all.any', value: new Uint8Array(20_000) }))
    await isCut(world, peer, 'limits.maxFrame')
    expect(hits(world, 'maxFrame')).toBe(1)
  })

  test('maxHello holds whatever the transport let through', async () => {
    const world = await serve({ maxHello: 400 })
    const stranger = world.stranger()
    stranger.send(
      rawFrame(1, 0, 0, new Uint8Array([0x43, 0x42, 0x4f, 0x58, 1, 0, 0, 0]), new Uint8Array(400)),
    )
    await isCut(world, stranger, 'limits.maxHello')
    expect(hits(world, 'maxHello')).toBe(1)
  })

  test('maxMessage of a REQUEST in fragments, read off its total', async () => {
    const world = await serve({ maxMessage: 100_000 })
    const peer = await world.peer()
    peer.send(rawFrame(0x10, 0x09, 1, name('all.any'), u32(100_001), Uint8Array.of(0xc6)))
    await isRefused(world, peer, 1, 'over limits.maxMessage (100000 bytes)')
    expect(hits(world, 'maxMessage')).toBe(1)
  })

  test('maxMessage of an item in fragments', async () => {
    const world = await serve({ maxMessage: 100_000 })
    const peer = await world.peer()
    peer.send(rawRequest({ id: 1, method: 'all.sink', open: true }))
    peer.send(rawFrame(0x11, 0x01, 1, u32(100_001), Uint8Array.of(0xc6)))
    await isRefused(world, peer, 1, 'over limits.maxMessage (100000 bytes)')
    expect(hits(world, 'maxMessage')).toBe(1)
  })

  test.each([
    ['maxDepth', { maxDepth: 3 }, [[[[]]]]],
    ['maxNodes', { maxNodes: 60 }, new Array(60).fill(1)],
    [
      'maxKeys',
      { maxKeys: 20 },
      Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`k${at}`, 1])),
    ],
  ])('%s of a payload', async (limit, limits, value) => {
    const world = await serve(limits)
    const peer = await world.peer()
    peer.send(rawRequest({ id: 1, method: 'all.any', value }))
    await isRefused(world, peer, 1, `limits.${limit}`)
    expect(hits(world, limit)).toBe(1)
  })

  test('maxMeta and maxMetaEntries of a call', async () => {
    const world = await serve({ maxMeta: 100, maxMetaEntries: 2 })
    const peer = await world.peer()
    const withMeta = (id: number, map: object): Uint8Array => {
      const meta = toMsgpack(map)
      const length = Uint8Array.of(meta.length >>> 8, meta.length)
      return rawFrame(0x10, 0x0e, id, name('all.nothing'), length, meta)
    }
    peer.send(withMeta(1, { a: 'x'.repeat(100) }))
    await isRefused(world, peer, 1, 'limits.maxMeta (100)')
    expect(hits(world, 'maxMeta')).toBe(1)
    peer.send(withMeta(5, { a: '1', b: '2', c: '3' }))
    await isRefused(world, peer, 5, 'limits.maxMetaEntries (2)')
  })

  test('maxErrorData: a declared error that is too large is internal, and the log says why', async () => {
    const world = await serve()
    const peer = await world.peer()
    peer.send(rawRequest({ id: 1, method: 'all.fail' }))
    await isRefused(world, peer, 1, '')
    expect(errorOf(peer.of(type.error)[0]!).code).toBe(13)
    expect(logged.map((fields) => String(fields['err'])).join()).toContain(
      'limits.maxErrorData (8192 bytes)',
    )
  })
})

describe('what is sent', () => {
  test('maxFed: no more than that and a frame is handed to a link that does not send', async () => {
    const world = await serve({ maxFed: 100 * KiB, window: 2 ** 20 })
    const peer = await world.peer({
      limits: {
        maxFrame: 66_560,
        maxMessage: 4 * KiB * KiB,
        maxMeta: 8_192,
        maxCalls: 256,
        window: 2 ** 20,
      },
    })
    peer.link.pause()
    peer.send(rawRequest({ id: 1, method: 'all.bytes' }))
    await world.clock.settle()
    expect(peer.far.unsentBytes).toBeGreaterThanOrEqual(100 * KiB)
    expect(peer.far.unsentBytes).toBeLessThan(100 * KiB + 66_560)
  })

  test('maxUnsent: a peer that makes answers and reads none of them', async () => {
    const world = await serve({ maxUnsent: 50 * KiB })
    const peer = await world.peer()
    peer.link.pause()
    for (let call = 0; call < 4_000; call += 1)
      peer.send(rawRequest({ id: 2 * call + 1, method: 'all.unknown' }))
    await world.clock.settle()
    expect(world.server.inspect().connections).toEqual([])
    expect(hits(world, 'maxUnsent')).toBe(1)
    await isServed(world)
  })

  test('ackBytes are acknowledged at once, less within ackMs', async () => {
    const world = await serve({ ackBytes: 4 * KiB, ackMs: 70 })
    const peer = await world.peer()
    peer.send(rawNotify('all.note', 'a'))
    await world.clock.advance(69)
    expect(peer.of(type.ack)).toHaveLength(0)
    await world.clock.advance(1)
    expect(peer.of(type.ack)).toHaveLength(1)
    peer.send(rawNotify('all.note', 'x'.repeat(4 * KiB)))
    await world.clock.settle()
    expect(peer.of(type.ack)).toHaveLength(2)
  })
})

describe('calls', () => {
  test('window and frameCost: items beyond what was promised, of a reader that takes none', async () => {
    const world = await serve({ window: 131_072, frameCost: 1_000 })
    const peer = await world.peer()
    // The REQUEST has cost 1,000 already.
    const most = Math.floor((131_072 - 1_000) / 1_001)
    peer.send(rawRequest({ id: 1, method: 'all.stuck', open: true }))
    peer.send(...Array.from({ length: most }, () => rawData(1, 1)))
    await world.clock.settle()
    expect(peer.of(type.error)).toHaveLength(0)
    peer.send(rawData(1, 1))
    await isRefused(world, peer, 1, 'credit violated')
  })

  test('maxCalls, and a place that is free again', async () => {
    const world = await serve({ maxCalls: 2 })
    const peer = await world.peer()
    for (const id of [1, 3, 5]) peer.send(rawRequest({ id, method: 'all.hang' }))
    await world.clock.settle()
    expect(errorOf(peer.of(type.error)[0]!).body).toEqual(['over limits.maxCalls (2)'])
    expect(hits(world, 'maxCalls')).toBe(1)
    await isServed(world)
  })

  test('pingBurst and controlBudget', async () => {
    const world = await serve({ pingBurst: 3, controlBudget: 3 })
    const pings = await world.peer()
    pings.send(...Array.from({ length: 4 }, () => rawPing()))
    await isCut(world, pings, 'calm: pingBurst')
    const controls = await world.peer()
    controls.send(...Array.from({ length: 4 }, () => rawFrame(7, 0, 0, toMsgpack({ maxCalls: 9 }))))
    await isCut(world, controls, 'calm: controlBudget')
    expect([hits(world, 'pingBurst'), hits(world, 'controlBudget')]).toEqual([1, 1])
  })
})

describe('silence [threat X5]', () => {
  test('a PING after pingIntervalMs, the end pingTimeoutMs later', async () => {
    const world = await serve({ pingIntervalMs: 1_500, pingTimeoutMs: 1_000 })
    const peer = await world.peer()
    await world.clock.advance(1_499)
    expect(peer.of(type.ping)).toHaveLength(0)
    await world.clock.advance(1)
    expect(peer.of(type.ping)).toHaveLength(1)
    await world.clock.advance(999)
    expect(world.server.inspect().connections).toHaveLength(1)
    await world.clock.advance(1)
    expect(world.server.inspect().connections).toEqual([])
    expect(peer.closed).toBeDefined()
    await isServed(world)
  })

  test('any byte is a sign of life', async () => {
    const world = await serve({ pingIntervalMs: 1_500, pingTimeoutMs: 1_000 })
    const peer = await world.peer()
    for (let round = 0; round < 3; round += 1) {
      await world.clock.advance(2_400)
      peer.send(rawFrame(5, 0, 0, u32(0)))
    }
    expect(world.server.inspect().connections).toHaveLength(1)
  })
})

describe('sessions without a link', () => {
  test('sessionGraceMs: so long one waits for its client', async () => {
    const world = await serve({ sessionGraceMs: 2_000 })
    const peer = await world.peer()
    peer.link.abort()
    await world.clock.advance(1_999)
    expect(world.server.inspect().connections).toHaveLength(1)
    await world.clock.advance(1)
    expect(world.server.inspect().connections).toEqual([])
    await isServed(world)
  })

  test('parkedBudget: over it the largest is forgotten', async () => {
    const world = await serve({ sessionGraceMs: 60_000, parkedBudget: 100 * KiB })
    const [small, large] = [await world.peer(), await world.peer()]
    small.send(rawRequest({ id: 1, method: 'all.unknown' }))
    large.send(rawRequest({ id: 1, method: 'all.bytes' }))
    await world.clock.settle()
    small.link.abort()
    await world.clock.settle()
    expect(hits(world, 'parkedBudget')).toBe(0)
    large.link.abort()
    await world.clock.settle()
    expect(hits(world, 'parkedBudget')).toBe(1)
    expect(world.server.inspect().connections).toHaveLength(1)
    await isServed(world)
  })
})

describe('a resume must match its session', () => {
  const asked = { client: { name: 'a', version: '1' }, contracts: [['all', 'one hash']] }

  test.each<[string, Record<string, unknown>]>([
    ['another hash', { contracts: [['all', 'another hash']] }],
    [
      'another contract',
      {
        contracts: [
          ['all', 'one hash'],
          ['more', 'x'],
        ],
      },
    ],
    ['no contract', { contracts: [] }],
  ])('%s: a new session, and the old one is untouched [threat H10]', async (_, other) => {
    const world = await serve({ sessionGraceMs: 60_000 })
    const first = await world.peer(asked)
    const { session } = fromMsgpack(first.frames[0]!.body.subarray(4)) as {
      session: { id: Uint8Array; token: Uint8Array }
    }
    first.link.abort()
    await world.clock.settle()
    const resume = { session: { id: session.id, token: session.token, received: 0 } }
    const refused = await world.peer({ ...asked, ...resume, ...other })
    expect(fromMsgpack(refused.frames[0]!.body.subarray(4))).toMatchObject({ resumed: false })
    const resumed = await world.peer({ ...asked, ...resume })
    expect(fromMsgpack(resumed.frames[0]!.body.subarray(4))).toMatchObject({ resumed: true })
  })

  test('another codec ends the connection, and the session waits on [threat H10]', async () => {
    const world = await serve({ sessionGraceMs: 60_000 })
    const first = await world.peer(asked)
    const { session } = fromMsgpack(first.frames[0]!.body.subarray(4)) as {
      session: { id: Uint8Array; token: Uint8Array }
    }
    first.link.abort()
    const stranger = world.stranger()
    const resume = { session: { id: session.id, token: session.token, received: 0 } }
    stranger.send(rawHello({ ...asked, ...resume, codecs: ['other'] }))
    await world.clock.settle()
    expect(goAwayOf(stranger.of(type.goAway)[0]!).code).toBe(35)
    const resumed = await world.peer({ ...asked, ...resume })
    expect(fromMsgpack(resumed.frames[0]!.body.subarray(4))).toMatchObject({ resumed: true })
  })
})
