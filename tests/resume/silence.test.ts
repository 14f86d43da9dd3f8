// Links that say nothing, and processes that do nothing: when they are given up, and what that costs.

import { safe } from '@callbox/client'
import { rawAck, rawPing, rawRequest } from '@callbox/testing/node'
import { expect, test } from 'vitest'
import { RawLink, types } from './raw-link.ts'
import { Stoppable } from './stoppable.ts'
import { setUp, type World, type WorldOptions } from './world.ts'

/** When each side lost its link, in milliseconds from now. */
async function losses(world: World, ms: number): Promise<{ client: number; server: number }> {
  const from = world.clock.now()
  const at = { client: Infinity, server: Infinity }
  const leave = world.client.on('state', ({ state }) => {
    if (state === 'reconnecting') at.client = Math.min(at.client, world.clock.now() - from)
  })
  for (let passed = 0; passed < ms; passed += 100) {
    await world.clock.advance(100)
    const parked = world.server.inspect().connections.every((each) => each.parked)
    if (parked) at.server = Math.min(at.server, world.clock.now() - from)
  }
  leave()
  return at
}

test.each([
  ['internet', 25_000, 30_000],
  ['fast', 3_000, 8_000],
] as const)(
  'a dead link, preset %s: the server notices after %i ms of silence, the client after %i, and nothing is lost [case C107] [threat X5]',
  async (preset, serverMs, clientMs) => {
    const world = await setUp({ client: { limits: preset }, server: { limits: preset } })
    await world.until(world.client.world.echo('a'))
    const call = world.client.world.wait('w', { timeoutMs: 120_000 })
    await world.clock.advance(200)
    world.transport.line.blackhole()
    const noticed = await losses(world, clientMs + 500)
    expect(noticed.server).toBeGreaterThanOrEqual(serverMs - 300)
    expect(noticed.server).toBeLessThanOrEqual(serverMs + 500)
    expect(noticed.client).toBeGreaterThanOrEqual(clientMs - 300)
    expect(noticed.client).toBeLessThanOrEqual(clientMs + 500)
    await world.clock.advance(5_000)
    world.release()
    expect(await world.until(call)).toBe('w')
    expect(world.ran).toEqual(['echo a', 'wait w'])
    expect(world.told).toEqual(['resumed'])
    await world.close()
  },
)

test('one direction is dead: what the server sends is lost, and comes again [case C107]', async () => {
  for (const dead of ['up', 'down'] as const) {
    const world = await setUp()
    await world.until(world.client.world.echo('a'))
    world.transport.fate = (way, _frame, line) => {
      if (way === dead && line === world.transport.lines[0]) throwAway(world, line)
      return 'pass'
    }
    const items: number[] = []
    const reading = (async () => {
      for await (const item of world.client.world.count(500)) items.push(item)
    })()
    await world.until(reading)
    expect(items).toEqual(Array.from({ length: 500 }, (_, n) => n + 1))
    expect(world.told).toEqual(['resumed'])
    world.transport.fate = () => 'pass'
    await world.close()
  }
})

/** From this frame on nothing of the line arrives. */
function throwAway({ transport }: World, line: (typeof transport)['line']): void {
  line.blackhole()
}

test('half open: the client comes back while the server still holds the old link [case C97]', async () => {
  const world = await setUp()
  const call = world.client.world.wait('w', { timeoutMs: 60_000 })
  await world.clock.advance(100)
  world.transport.line.cutClient()
  await world.clock.advance(2_000)
  expect(world.told).toEqual(['resumed'])
  world.release()
  expect(await world.until(call)).toBe('w')
  expect(world.ran).toEqual(['wait w'])
  await world.close()
})

/** Frames of a type that have gone by. */
function count(world: World, type: number): () => number {
  let seen = 0
  world.transport.fate = (_, frame) => {
    if (frame[0] === type) seen += 1
    return 'pass'
  }
  return () => seen
}

test('traffic both ways at least every 14 s: no PING is sent [case C108]', async () => {
  const world = await setUp()
  const pings = count(world, types.ping)
  for (let n = 0; n < 30; n += 1) {
    await world.until(world.client.world.echo(`${n}`))
    await world.clock.advance(13_900)
  }
  expect(pings()).toBe(0)
  await world.close()
})

test('without a session the client only sends events for 5 minutes: the link lives [case C108]', async () => {
  // Acknowledgments come all the same: what is heard of the server needs no PING.
  const world = await setUp({ server: { limits: { sessionGraceMs: 0 } } })
  await world.until(world.client.world.echo('a'))
  for (let n = 0; n < 300; n += 1) {
    await world.client.world.note(`${n}`)
    await world.clock.advance(1_000)
  }
  expect(world.transport.dials).toBe(1)
  expect(world.ran.filter((each) => each.startsWith('note'))).toHaveLength(300)
  await world.close()
})

test('every PING has its PONG, and none is out at the end [case C109]', async () => {
  const world = await setUp()
  let [pings, pongs] = [0, 0]
  await world.until(world.client.world.echo('a'))
  world.transport.fate = (_, frame) => {
    if (frame[0] === types.ping) pings += 1
    if (frame[0] === types.pong) pongs += 1
    return 'pass'
  }
  await world.clock.advance(600_000)
  expect(pings).toBeGreaterThan(20)
  expect(pongs).toBe(pings)
  expect(world.transport.dials).toBe(1)
  await world.close()
})

test('a raw client that never answers PING is parked, not lost: it resumes [case C107]', async () => {
  const world = await setUp()
  const raw = await RawLink.connect(world.transport)
  raw.hello()
  await world.clock.settle()
  const { id, token } = raw.welcome!.session!
  await world.clock.advance(14_900)
  expect(raw.of(types.ping)).toHaveLength(0)
  await world.clock.advance(200)
  expect(raw.of(types.ping)).toHaveLength(1)
  await world.clock.advance(10_000)
  expect(raw.closed).toBe(true)
  expect(world.server.inspect().connections).toMatchObject([{ parked: true }])
  const back = await RawLink.connect(world.transport)
  back.hello({ session: { id, token, received: 0 } })
  await world.clock.settle()
  expect(back.welcome?.resumed).toBe(true)
  back.send(rawAck(0), rawPing())
  await world.clock.settle()
  expect(back.of(types.pong)).toHaveLength(1)
  await world.close()
})

/** A world whose client, or server, can be stopped. */
async function stoppable(side: 'client' | 'server', options: WorldOptions = {}) {
  let clock: Stoppable | undefined
  const make = (inner: World['clock']): Stoppable => (clock = new Stoppable(inner))
  const world = await setUp({
    ...options,
    ...(side === 'client' ? { clientClock: make } : { serverClock: make }),
  })
  const way = side === 'client' ? 'down' : 'up'
  return {
    world,
    /** Stops it, for so long; then its timers run before it reads anything, as in Node. */
    stopFor: async (ms: number): Promise<void> => {
      const { line } = world.transport
      clock!.stop()
      line.hold(way)
      await world.clock.advance(ms)
      clock!.goOn()
      await Promise.resolve()
      line.letGo(way)
      await world.clock.settle()
    },
  }
}

test.each([
  ['client', 5_000, 0],
  ['client', 9_000, 0],
  ['client', 40_000, 1],
  ['server', 5_000, 0],
  ['server', 9_000, 0],
  ['server', 20_000, 0],
  ['server', 40_000, 1],
] as const)(
  'a %s that stands still for %i ms: nothing lost, nothing twice; at most %i resumes [case C111]',
  async (side, ms, resumes) => {
    const { world, stopFor } = await stoppable(side)
    await world.until(world.client.world.echo('a'))
    const items: number[] = []
    const reading = (async () => {
      for await (const item of world.client.world.count(20_000)) items.push(item)
    })()
    const call = world.client.world.wait('w', { timeoutMs: 120_000 })
    await world.clock.advance(1)
    await stopFor(ms)
    world.release()
    await world.until(reading)
    expect(await world.until(call)).toBe('w')
    expect(items).toEqual(Array.from({ length: 20_000 }, (_, n) => n + 1))
    expect(world.ran.toSorted()).toEqual(['count 20000', 'echo a', 'wait w'])
    expect(world.told).not.toContain('sessionLost')
    expect(world.told.length).toBeLessThanOrEqual(resumes)
    await world.close()
  },
)

test('what has arrived is read before silence is judged [case C111]', async () => {
  // The server has asked, then stands still until long after the answer was due: it has come.
  const { world, stopFor } = await stoppable('server')
  await world.until(world.client.world.echo('a'))
  const pings = count(world, types.ping)
  world.transport.line.hold('up')
  while (pings() === 0) await world.clock.advance(10)
  await stopFor(12_000)
  await world.clock.advance(2_000)
  expect(world.transport.dials).toBe(1)
  expect(world.told).toEqual([])
  await world.close()
})

test('a server that stands still does not blame it on whoever reads [case C111]', async () => {
  const { world, stopFor } = await stoppable('server')
  const raw = await RawLink.connect(world.transport)
  raw.hello()
  await world.clock.settle()
  raw.pause()
  raw.send(rawRequest({ id: 1, method: 'world.count', value: 100_000 }))
  await world.clock.advance(9_000)
  expect(world.server.inspect().connections[0]!.bytes.unsent).toBeGreaterThan(0)
  await stopFor(25_000)
  raw.resume()
  await world.clock.advance(3_000)
  expect(raw.goAway).toBeUndefined()
  expect(raw.of(types.data).length).toBeGreaterThan(1_000)
  raw.abort()
  await world.close()
})

test.each(['client', 'server'] as const)(
  'a laptop that sleeps for an hour, as %s: one reconnect, every call settles once [case C112]',
  async (side) => {
    const { world, stopFor } = await stoppable(side)
    await world.until(world.client.world.echo('a'))
    let settled = 0
    const call = safe(world.client.world.wait('w', { timeoutMs: 200_000 })).then((outcome) => {
      settled += 1
      return outcome
    })
    await world.clock.advance(10)
    await stopFor(3_600_000)
    await world.clock.advance(60_000)
    const [error] = await world.until(call)
    expect(['session_lost', 'deadline_exceeded']).toContain(error?.code)
    expect(settled).toBe(1)
    expect(await world.until(world.client.world.echo('b'))).toBe('b')
    const { dials } = world.transport
    await world.clock.advance(120_000)
    expect(world.transport.dials).toBe(dials)
    expect(world.client.state).toBe('connected')
    expect(world.ran).toEqual(['echo a', 'wait w', 'echo b'])
    await world.close()
  },
)
