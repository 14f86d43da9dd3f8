// Sessions that cannot go on: expired, unknown after a restart, evicted, or with a peer that takes nothing.

import { safe } from '@callbox/client'
import { MetricsRegistry } from '@callbox/server'
import {
  rawAck,
  rawCancel,
  rawCredit,
  rawFrame,
  rawRequest,
  toMsgpack,
} from '@callbox/testing/node'
import { expect, test } from 'vitest'
import { codes, RawLink, types } from './raw-link.ts'
import { kill, restart } from './restart.ts'
import { setUp, type World } from './world.ts'

/** Every call that a test can make, running at the server: what a lost session does to each. */
async function running(world: World) {
  const { client, clock } = world
  const stream = client.world.count(1_000_000)
  expect((await world.until(stream.next())).value).toBe(1)
  const silent = safe(client.world.double().next())
  const sent = safe(client.world.wait('sent', { timeoutMs: 200_000 }))
  await clock.advance(200)
  return { stream, silent, sent }
}

test('the session has expired: each open call says so, new ones go on, one reconnect only [case C98]', async () => {
  const world = await setUp()
  const { stream, silent, sent } = await running(world)
  world.transport.down = true
  world.transport.line.cut()
  await world.clock.advance(31_000)
  expect((await sent)[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  const read = async (): Promise<void> => {
    for await (const item of stream) expect(item).toBeGreaterThan(1)
  }
  await expect(read()).rejects.toMatchObject({ code: 'session_lost', processed: 'yes' })
  expect((await silent)[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  world.transport.down = false
  const { dials } = world.transport
  expect(await world.until(world.client.world.echo('new'))).toBe('new')
  await world.clock.advance(60_000)
  expect(world.transport.dials).toBe(dials + 1)
  expect(world.told).toEqual(['sessionLost'])
  await world.close()
})

test('the server has forgotten the session: told at once, not at the end of the grace [case C98]', async () => {
  const world = await setUp()
  const { sent } = await running(world)
  await restart(world)
  const lost = await world.until(sent)
  expect(lost[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  expect(world.clock.now()).toBeLessThan(5_000)
  expect(world.told).toEqual(['sessionLost'])
  await world.close()
})

test('a server that restarts: unsent calls go out, idempotent ones again, no other twice [case C99] [threat R1]', async () => {
  const world = await setUp()
  const { client, clock, ran } = world
  await world.until(client.world.echo('first'))
  // All answers and acknowledgments are lost: the client looks as if nothing had arrived.
  world.transport.fate = (way) => (way === 'down' ? 'cut before' : 'pass')
  const once = safe(client.world.echo('once'))
  const again = client.world.again('again')
  const note = safe(client.world.note('note'))
  await clock.advance(1)
  expect(ran).toEqual(['echo first', 'echo once', 'again again', 'note note'])
  world.transport.fate = () => 'pass'
  await kill(world)
  const unsent = client.world.echo('unsent')
  await clock.advance(100)
  world.transport.down = false
  const server = await restart(world)
  expect(await world.until(unsent)).toBe('unsent')
  expect(await world.until(again)).toBe('again')
  expect((await once)[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  expect((await note)[0]).toBeUndefined()
  expect(ran.toSorted()).toEqual([
    'again again',
    'again again',
    'echo first',
    'echo once',
    'echo unsent',
    'note note',
  ])
  expect(world.told).toEqual(['sessionLost'])
  await world.close()
  await world.until(server.close({ graceMs: 0 }))
})

test('a REQUEST whose last fragment was never sent goes out on the new session, once [case C99]', async () => {
  const world = await setUp()
  const { client, ran, transport } = world
  await world.until(client.world.echo('first'))
  let fragments = 0
  transport.fate = (way, frame) => {
    if (way === 'down' || frame.length < 10_000) return 'pass'
    fragments += 1
    // The link takes no more than one of them at a time.
    return fragments === 1 ? 'cut after' : 'pass'
  }
  const text = 'y'.repeat(1_000_000)
  const call = client.world.echo(text)
  await world.clock.advance(1)
  const server = await restart(world)
  expect(await world.until(call)).toBe(text)
  expect(ran.filter((each) => each.startsWith('echo y'))).toHaveLength(1)
  await world.close()
  await world.until(server.close({ graceMs: 0 }))
})

test.each([
  ['ring empty', false],
  ['ring full', true],
])(
  'busy streams and settling handlers without a link: producers pause, nothing is lost [case C100] (%s)',
  async (_, full) => {
    const world = await setUp({ server: { limits: { replayRing: 256 * 1024 } } })
    const { client, clock, transport } = world
    const items: number[] = []
    const reading = (async () => {
      for await (const item of client.world.count(30_000)) items.push(item)
    })()
    const waits = Array.from({ length: 200 }, (_each, n) => client.world.wait(`${n}`))
    if (full)
      // What the client acknowledges is lost: the server's ring fills up.
      transport.fate = (way, frame) =>
        way === 'up' && frame[0] === types.ack ? 'cut before' : 'pass'
    await clock.advance(20)
    transport.down = true
    transport.line.cut()
    transport.fate = () => 'pass'
    await clock.advance(50)
    const before = world.server.inspect().connections[0]!
    expect(before.parked).toBe(true)
    world.release()
    await clock.advance(15_000)
    const after = world.server.inspect().connections[0]!
    // Nothing has got a position, and no producer has gone on by more than what it was granted.
    expect(after.bytes.ring).toBe(before.bytes.ring)
    expect(after.bytes.ring).toBeLessThanOrEqual(256 * 1024 + 64 * 1024)
    expect(after.bytes.waiting).toBeLessThan(1024 * 1024)
    transport.down = false
    expect(await world.until(Promise.all(waits))).toEqual(waits.map((_each, n) => `${n}`))
    await world.until(reading)
    expect(items).toEqual(Array.from({ length: 30_000 }, (_each, n) => n + 1))
    expect(world.told).not.toContain('sessionLost')
    await world.close()
  },
)

test('after the grace, what was paused ends with session_lost [case C100]', async () => {
  const world = await setUp()
  const { stream, sent } = await running(world)
  world.transport.down = true
  world.transport.line.cut()
  await world.clock.advance(40_000)
  expect((await sent)[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  await expect(world.until(drained(stream))).rejects.toMatchObject({ code: 'session_lost' })
  expect(world.server.inspect().connections).toEqual([])
  await world.close()
})

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** A raw client that has a session and a stream that never ends. */
async function taking(world: World, id = 1): Promise<RawLink> {
  const raw = await RawLink.connect(world.transport)
  raw.hello()
  await world.clock.settle()
  raw.send(rawRequest({ id, method: 'world.count', value: 100_000_000 }))
  await world.clock.settle()
  return raw
}

test('a peer that takes everything and acknowledges nothing: producers pause, CANCEL and CREDIT go on, cut after 30 s [case C101] [threat R6]', async () => {
  const metrics = new MetricsRegistry()
  const world = await setUp({ server: { limits: { replayRing: 256 * 1024 }, metrics } })
  const raw = await taking(world)
  // Credit without end, and PINGs that confirm nothing: the link is alive.
  const live = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 5_000) {
      await world.clock.advance(5_000)
      raw.send(rawFrame(0x03, 0, 0, new Uint8Array(8), new Uint8Array(4)))
    }
  }
  for (let n = 0; n < 40; n += 1) {
    raw.send(rawCredit(1, 200_000))
    await world.clock.settle()
  }
  const ring = world.server.inspect().connections[0]!.bytes.ring
  expect(ring).toBeGreaterThanOrEqual(256 * 1024)
  expect(ring).toBeLessThan(256 * 1024 + 200)
  const sent = raw.of(types.data).length
  await live(10_000)
  expect(raw.of(types.data)).toHaveLength(sent)
  // An upload's credit still comes: the full ring does not hold it up.
  raw.send(rawRequest({ id: 3, method: 'world.sum', open: true }))
  for (let n = 0; n < 2_000; n += 1) raw.send(rawFrame(0x11, 0, 3, toMsgpack(n)))
  await world.clock.settle()
  expect(raw.of(types.credit).length).toBeGreaterThan(0)
  await live(25_000)
  expect(raw.goAway).toMatchObject({
    code: codes.resourceExhausted,
    reason: expect.stringContaining('slow_consumer'),
  })
  expect(metrics.counter('limit_hits', 'stallMs')).toBe(1)
  await world.close()
})

test('a full ring that is acknowledged goes on at once [case C101]', async () => {
  const world = await setUp({ server: { limits: { replayRing: 256 * 1024 } } })
  const raw = await taking(world)
  for (let n = 0; n < 40; n += 1) raw.send(rawCredit(1, 200_000))
  await world.clock.advance(20_000)
  const sent = raw.of(types.data).length
  raw.send(rawAck(raw.received))
  await world.clock.settle()
  expect(raw.of(types.data).length).toBeGreaterThan(sent + 1_000)
  expect(raw.goAway).toBeUndefined()
  raw.send(rawCancel(1))
  await world.clock.settle()
  raw.abort()
  await world.close()
})

test('both rings full, no reader takes anything: acknowledgments flow, both empty [case C101]', async () => {
  const limits = { replayRing: 256 * 1024 }
  const world = await setUp({ client: { limits }, server: { limits } })
  const { client, clock } = world
  const streams = Array.from({ length: 4 }, () => client.world.count(1_000_000))
  for (const stream of streams) await world.until(stream.next())
  let taken = 0
  const numbers = async function* (): AsyncGenerator<number> {
    for (; taken < 100_000; taken += 1) yield taken
  }
  const uploads = Array.from({ length: 4 }, () => safe(client.world.idle(numbers())))
  await clock.advance(5_000)
  expect(world.server.inspect().connections[0]!.bytes.ring).toBe(0)
  expect(client.inspect().connection!.bytes.ring).toBe(0)
  // Each upload has filled its window, and waits.
  expect(taken).toBeGreaterThan(10_000)
  expect(taken).toBeLessThan(20_000)
  expect(await world.until(client.world.echo('on'))).toBe('on')
  await clock.advance(60_000)
  expect(world.transport.dials).toBe(1)
  world.release()
  await world.until(Promise.all(uploads))
  await world.close()
})

test('an evicted session: open calls end with session_lost, and the client begins anew [case C100] [threat R5]', async () => {
  const world = await setUp({ server: { limits: { parkedBudget: 1_000 } } })
  const { client, clock, transport } = world
  const stream = client.world.count(100_000)
  expect((await world.until(stream.next())).value).toBe(1)
  transport.down = true
  transport.line.cut()
  await clock.advance(1)
  expect(world.server.inspect().connections).toEqual([])
  transport.down = false
  await expect(world.until(drained(stream))).rejects.toMatchObject({
    code: 'session_lost',
    processed: 'yes',
  })
  expect(await world.until(client.world.echo('anew'))).toBe('anew')
  expect(world.told).toEqual(['sessionLost'])
  await world.close()
})

test('17 sessions of one peer with full rings do not cost an honest one its life [threat R5]', async () => {
  const parkedBudget = 4 * 1024 * 1024
  const world = await setUp({ server: { limits: { replayRing: 256 * 1024, parkedBudget } } })
  const honest = await RawLink.connect(world.transport)
  honest.hello()
  await world.clock.settle()
  honest.send(rawRequest({ id: 1, method: 'world.echo', value: 'z'.repeat(1_000) }))
  await world.clock.settle()
  const { id, token } = honest.welcome!.session!
  honest.abort()
  for (let n = 0; n < 17; n += 1) {
    const raw = await taking(world)
    for (let more = 0; more < 10; more += 1) raw.send(rawCredit(1, 200_000))
    await world.clock.settle()
    raw.abort()
    await world.clock.settle()
  }
  const parked = world.server.inspect().connections
  expect(parked.length).toBeLessThan(18)
  const bytes = parked.reduce((sum, each) => sum + each.bytes.ring + each.bytes.waiting, 0)
  expect(bytes).toBeLessThanOrEqual(parkedBudget)
  const back = await RawLink.connect(world.transport)
  back.hello({ session: { id, token, received: 0 } })
  await world.clock.settle()
  expect(back.welcome?.resumed).toBe(true)
  back.send(rawAck(0))
  await world.clock.settle()
  expect(back.of(types.data)).toHaveLength(1)
  await world.close()
})
