// Servers that go away in order: calls finish or move, whatever happens to the links. On the virtual clock.

import { createClient, safe, type Client } from '@callbox/client'
import type { Server } from '@callbox/server'
import { goAwayOf, rawAck, rawRequest } from '@callbox/testing/node'
import { expect, test } from 'vitest'
import { codes, RawLink, types } from './raw-link.ts'
import { serverOf, setUp, world as contract, type World } from './world.ts'

/** Another server takes the place of the world's, which drains. Settles when that is over. */
async function replace(
  world: World,
  graceMs = 10_000,
): Promise<{ next: Server; over: Promise<void> }> {
  const over = world.server.close({ graceMs, acceptMs: 0 })
  await world.clock.settle()
  const next = serverOf(world.clock, world.ran)
  await next.listen(world.transport)
  return { next, over }
}

test('drain of an idle connection, then a call at once: it goes to the next server, no error [case C115]', async () => {
  const world = await setUp()
  await world.until(world.client.world.echo('a'))
  const errors: unknown[] = []
  world.client.on('state', ({ error }) => errors.push(error))
  const { next, over } = await replace(world)
  const call = world.client.world.echo('b')
  expect(await world.until(call)).toBe('b')
  await world.until(over)
  expect(world.ran).toEqual(['echo a', 'echo b'])
  expect(errors.filter((error) => error !== undefined)).toMatchObject([{ code: 'unavailable' }])
  await world.close()
  await world.until(next.close({ graceMs: 0 }))
})

test('running calls finish at the old server, later ones go to the next, the connection is closed then [case C113] [threat G1]', async () => {
  const world = await setUp()
  const running = world.client.world.wait('old')
  await world.clock.advance(100)
  const { next, over } = await replace(world)
  const later = ['b', 'c'].map((text) => world.client.world.echo(text))
  expect(await world.until(Promise.all(later))).toEqual(['b', 'c'])
  world.release()
  expect(await world.until(running)).toBe('old')
  await world.until(over)
  expect(world.server.inspect().connections).toEqual([])
  expect(world.client.inspect().leaving).toBe(0)
  expect(world.ran).toEqual(['wait old', 'echo b', 'echo c'])
  await world.close()
  await world.until(next.close({ graceMs: 0 }))
})

test('a call that races GOAWAY runs once and succeeds, whatever is lost with the link [case C113] [threat G3]', async () => {
  // The cut comes at each frame behind the moment at which the server begins to leave.
  for (const way of ['up', 'down'] as const)
    for (const fate of ['pass', 'cut before', 'cut after'] as const)
      for (let nth = 1; nth <= 8; nth += 1)
        for (const calls of [1, 20]) {
          const world = await setUp({ seed: nth })
          const { client, transport, ran } = world
          await world.until(client.world.echo('first'))
          let seen = 0
          transport.fate = (each) => {
            if (each !== way) return 'pass'
            seen += 1
            return seen === nth ? fate : 'pass'
          }
          // Accepts for the whole grace: whoever has lost its link can come back.
          const over = world.server.close({ graceMs: 20_000, acceptMs: 3_000 })
          const racing = Array.from({ length: calls }, (_, n) => client.world.echo(`race ${n}`))
          const big = client.world.echo('x'.repeat(200_000))
          const answers = Promise.all([...racing, big.then((text) => text.length)])
          await world.clock.advance(3_100)
          const next = serverOf(world.clock, ran)
          await world.clock.settle()
          await listenSoon(world, next)
          const what = `${way} ${fate} ${nth} ${calls}`
          expect(await world.until(answers), `${what}`).toEqual([
            ...racing.map((_, n) => `race ${n}`),
            200_000,
          ])
          for (let n = 0; n < calls; n += 1)
            expect(
              ran.filter((each) => each === `echo race ${n}`),
              `${what}`,
            ).toHaveLength(1)
          expect(
            ran.filter((each) => each.startsWith('echo x')),
            `${what}`,
          ).toHaveLength(1)
          await world.until(over)
          await world.close()
          await world.until(next.close({ graceMs: 0 }))
        }
})

/** The old one may still be on the address. */
async function listenSoon(world: World, server: Server): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      await server.listen(world.transport)
      return
    } catch {
      await world.clock.advance(100)
    }
  }
  throw new Error('the address is never free')
}

test('requests that wait for the link when the server leaves go to the next one, once [case C113] [threat G3]', async () => {
  const world = await setUp()
  // The old session lives on for its sake.
  const running = world.client.world.wait('old')
  await world.clock.advance(10)
  const { far } = world.transport.line
  // The link takes a little and no more: the rest stands in the queue.
  far!.pause()
  const texts = ['x'.repeat(1_000_000), 'y'.repeat(300_000), 'small']
  const calls = texts.map((text) => world.client.world.echo(text))
  await world.clock.advance(1)
  const { next, over } = await replace(world)
  await world.clock.advance(50)
  far!.resume()
  expect(await world.until(Promise.all(calls))).toEqual(texts)
  for (const text of texts)
    expect(world.ran.filter((each) => each === `echo ${text}`)).toHaveLength(1)
  world.release()
  expect(await world.until(running)).toBe('old')
  await world.until(over)
  await world.close()
  await world.until(next.close({ graceMs: 0 }))
})

test('GOAWAY is said again after a resume, with an id that never rises; later frames are counted [threat G3]', async () => {
  const world = await setUp()
  const raw = await RawLink.connect(world.transport)
  raw.hello()
  await world.clock.settle()
  const { id, token } = raw.welcome!.session!
  raw.send(rawRequest({ id: 1, method: 'world.wait', value: 'w' }))
  await world.clock.settle()
  const over = world.server.close({ graceMs: 10_000, acceptMs: 10_000 })
  await world.clock.settle()
  const first = goAwayOf(raw.of(types.goAway)[0]!)
  expect(first).toMatchObject({
    code: codes.unavailable,
    lastAcceptedId: 1,
    map: { reason: 'drain' },
  })
  raw.send(rawRequest({ id: 3, method: 'world.echo', value: 'late' }))
  await world.clock.settle()
  raw.abort()
  const back = await RawLink.connect(world.transport)
  back.hello({ session: { id, token, received: raw.received } })
  await world.clock.settle()
  expect(back.welcome).toMatchObject({ resumed: true, received: 2 })
  const again = goAwayOf(back.of(types.goAway)[0]!)
  expect(again).toEqual(first)
  back.send(rawAck(0), rawRequest({ id: 5, method: 'world.echo', value: 'later' }))
  await world.clock.settle()
  world.release()
  await world.clock.advance(100)
  expect(back.of(types.data).map((frame) => frame.id)).toEqual([1])
  expect(world.ran).toEqual(['wait w'])
  await world.until(over)
  await world.close()
})

test('each client is told a moment of its own [threat G1]', async () => {
  const world = await setUp()
  const raws: RawLink[] = []
  for (let n = 0; n < 200; n += 1) {
    const raw = await RawLink.connect(world.transport)
    raw.hello()
    raws.push(raw)
  }
  await world.clock.settle()
  const over = world.server.close({ graceMs: 10_000 })
  await world.clock.settle()
  const moments = raws.map((raw) => {
    const { map } = goAwayOf(raw.of(types.goAway)[0]!)
    return (map as { reconnectAfterMs: number }).reconnectAfterMs
  })
  expect(Math.max(...moments)).toBeLessThanOrEqual(2_000)
  for (let tenth = 0; tenth < 10; tenth += 1)
    expect(
      moments.filter((ms) => ms >= tenth * 200 && ms < tenth * 200 + 200).length,
    ).toBeLessThanOrEqual(40)
  for (const raw of raws) raw.abort()
  await world.until(over)
  await world.close()
})

test('connections of 1,000 clients that came together are not closed together [case C116]', async () => {
  const ageMs = 100_000
  const world = await setUp({ server: { limits: { maxConnectionAgeMs: ageMs } } })
  const asked: number[] = []
  world.transport.fate = (way, frame) => {
    if (way === 'down' && frame[0] === types.goAway) asked.push(world.clock.now())
    return 'pass'
  }
  const clients: Client<{ world: typeof contract }>[] = []
  for (let n = 0; n < 1_000; n += 1) {
    const client = createClient({ world: contract }, world.transport, { clock: world.clock })
    clients.push(client)
    await client.world.echo('a')
  }
  await world.clock.advance(1.1 * ageMs + 10)
  const first = asked.slice(0, 1_000)
  expect(first).toHaveLength(1_000)
  expect(Math.min(...first)).toBeGreaterThanOrEqual(0.9 * ageMs)
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const from = ageMs * (0.9 + tenth * 0.02)
    const inside = first.filter((at) => at >= from && at < from + ageMs * 0.02).length
    expect(inside).toBeLessThanOrEqual(200)
  }
  // Every one is back, and nobody has noticed.
  await world.clock.advance(1_000)
  for (const client of clients) expect(client.state).toBe('connected')
  expect(world.server.inspect().connections).toHaveLength(1_000)
  await Promise.all(clients.map((client) => client.close()))
  await world.close()
})

test('a connection that is too old lets its calls finish [case C116]', async () => {
  const world = await setUp({ server: { limits: { maxConnectionAgeMs: 10_000 } } })
  const call = world.client.world.wait('w', { timeoutMs: 60_000 })
  await world.clock.advance(12_000)
  expect(await world.until(world.client.world.echo('new'))).toBe('new')
  world.release()
  expect(await world.until(call)).toBe('w')
  expect(world.ran).toEqual(['wait w', 'echo new'])
  await world.close()
})

test('a shutdown with a stuck call, a dead client and a reader that has paused ends in time, truthfully [case C114] [threat G1]', async () => {
  const world = await setUp()
  const stuck = safe(world.client.world.wait('stuck', { timeoutMs: 100_000 }))
  await world.clock.advance(10)
  const dead = await RawLink.connect(world.transport)
  dead.hello()
  const paused = await RawLink.connect(world.transport)
  paused.hello()
  await world.clock.settle()
  paused.send(rawRequest({ id: 1, method: 'world.count', value: 1_000_000 }))
  dead.send(rawRequest({ id: 1, method: 'world.wait', value: 'dead' }))
  paused.pause()
  await world.clock.settle()
  dead.abort()
  await world.clock.advance(10)
  const from = world.clock.now()
  // The reader's link in memory closes after a second of real time.
  const over = world.server.close({ graceMs: 3_000 }).then(() => world.clock.now() - from)
  await world.clock.advance(3_500)
  expect(await over).toBeLessThanOrEqual(4_000)
  expect((await world.until(stuck))[0]).toMatchObject({ code: 'unavailable', processed: 'yes' })
  expect(world.server.inspect()).toMatchObject({ connections: [], arriving: 0, listeners: 0 })
  await world.close()
})

test('the client of a server that leaves loses its link: what runs there still ends well [case C113]', async () => {
  const world = await setUp()
  const running = world.client.world.wait('old')
  await world.clock.advance(100)
  const over = world.server.close({ graceMs: 20_000, acceptMs: 20_000, spreadMs: 0 })
  await world.clock.advance(10)
  world.transport.lines[0]!.cut()
  await world.clock.advance(3_000)
  world.release()
  expect(await world.until(running)).toBe('old')
  expect(world.ran).toEqual(['wait old'])
  await world.until(over)
  await world.close()
})
