// What a deadline, a cancel and a grace do while there is no link. On the virtual clock.

import { safe } from '@callbox/client'
import { expect, test } from 'vitest'
import { partsOf } from '@callbox/testing/node'
import { setUp, type World } from './world.ts'
import { types } from './raw-link.ts'

/** A world with a `wait` that runs at the server. */
async function waiting(timeoutMs?: number, signal?: AbortSignal) {
  const world = await setUp({ aborts: true })
  const call = safe(world.client.world.wait('w', { timeoutMs, signal }))
  await world.clock.advance(10)
  expect(world.ran).toEqual(['wait w'])
  return { world, call }
}

/** No link, and none to be had. */
function lose(world: World): void {
  world.transport.down = true
  world.transport.line.cut()
}

test('a deadline passes while there is no link: the call settles on time, its handler on resume [case C65] [case C104]', async () => {
  const { world, call } = await waiting(5_000)
  lose(world)
  let settledAt = 0
  void call.then(() => {
    settledAt = world.clock.now()
  })
  await world.clock.advance(8_000)
  expect((await call)[0]).toMatchObject({ code: 'deadline_exceeded', processed: 'unknown' })
  expect(settledAt).toBeGreaterThanOrEqual(5_000)
  expect(settledAt).toBeLessThanOrEqual(5_050)
  // The server has a timer of its own: the handler is told without a link.
  expect(world.ran).toEqual(['wait w', 'aborted w'])
  world.transport.down = false
  await world.clock.advance(20_000)
  expect(world.told).toEqual(['resumed'])
  expect(await world.until(world.client.world.echo('after'))).toBe('after')
  await world.close()
})

test('a REQUEST that is sent again says what is left of its deadline [case C65]', async () => {
  const world = await setUp()
  const deadlines: number[] = []
  let lost = false
  world.transport.fate = (way, frame) => {
    if (way === 'down' || frame[0] !== types.request) return 'pass'
    const { body } = partsOf(frame)
    deadlines.push(new DataView(body.buffer, body.byteOffset).getUint32(2))
    if (lost) return 'pass'
    lost = true
    world.transport.down = true
    return 'cut before'
  }
  const call = world.client.world.echo('a', { timeoutMs: 20_000 })
  await world.clock.advance(6_000)
  world.transport.down = false
  expect(await world.until(call)).toBe('a')
  expect(deadlines).toHaveLength(2)
  expect(deadlines[0]).toBe(20_000)
  expect(deadlines[1]).toBeLessThanOrEqual(14_000)
  expect(deadlines[1]).toBeGreaterThan(0)
  expect(world.ran).toEqual(['echo a'])
  await world.close()
})

test('a REQUEST that is sent again when its deadline is over starts no handler [case C65]', async () => {
  const world = await setUp()
  let lost = false
  world.transport.fate = (way, frame) => {
    if (lost || way === 'down' || frame[0] !== types.request) return 'pass'
    lost = true
    world.transport.down = true
    return 'cut before'
  }
  const call = safe(world.client.world.echo('a', { timeoutMs: 3_000 }))
  await world.clock.advance(6_000)
  expect((await call)[0]).toMatchObject({ code: 'deadline_exceeded' })
  world.transport.down = false
  await world.clock.advance(20_000)
  expect(await world.until(world.client.world.echo('b'))).toBe('b')
  expect(world.ran).toEqual(['echo b'])
  await world.close()
})

test('a cancel while there is no link settles at once, the handler is told on resume [case C104]', async () => {
  const controller = new AbortController()
  const { world, call } = await waiting(undefined, controller.signal)
  lose(world)
  await world.clock.advance(1_000)
  controller.abort()
  expect((await call)[0]).toMatchObject({ code: 'cancelled', processed: 'unknown' })
  await world.clock.advance(1_000)
  expect(world.ran).toEqual(['wait w'])
  world.transport.down = false
  await world.clock.advance(10_000)
  expect(world.told).toEqual(['resumed'])
  expect(world.ran).toEqual(['wait w', 'aborted w'])
  await world.close()
})

test('a client that goes away: its handlers go on for the grace, and not longer [case C73]', async () => {
  const { world, call } = await waiting(120_000)
  lose(world)
  await world.clock.advance(29_900)
  expect(world.ran).toEqual(['wait w'])
  await world.clock.advance(200)
  expect(world.ran).toEqual(['wait w', 'aborted w'])
  expect((await call)[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  expect(world.server.inspect().connections).toEqual([])
  await world.close()
})

test('without sessions the handlers of a client that goes away are told at once [case C73]', async () => {
  const world = await setUp({ aborts: true, server: { limits: { sessionGraceMs: 0 } } })
  const call = safe(world.client.world.wait('w', { timeoutMs: 120_000 }))
  await world.clock.advance(10)
  lose(world)
  await world.clock.advance(1)
  expect(world.ran).toEqual(['wait w', 'aborted w'])
  expect((await call)[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  await world.close()
})

test('CANCEL that meets END on the way has one outcome, also across a cut [case C69]', async () => {
  // Each frame after the answer has been provoked, cut before and after it, with the cancel in the same turn.
  for (const fate of ['pass', 'cut before', 'cut after'] as const)
    for (const way of ['up', 'down'] as const)
      for (let delay = 0; delay < 4; delay += 1) {
        const world = await setUp()
        await world.until(world.client.world.echo('first'))
        const controller = new AbortController()
        const settled: unknown[] = []
        void safe(world.client.world.wait('w', { signal: controller.signal })).then((outcome) =>
          settled.push(outcome),
        )
        await world.clock.advance(10)
        let seen = false
        world.transport.fate = (each) => {
          if (seen || each !== way) return 'pass'
          seen = true
          return fate
        }
        world.release()
        for (let turn = 0; turn < delay; turn += 1) await Promise.resolve()
        controller.abort()
        await world.clock.advance(5_000)
        expect(settled, `${fate} ${way} ${delay}`).toHaveLength(1)
        const [[error, value]] = settled as [[{ code: string } | undefined, unknown]]
        if (error === undefined || error === null) expect(value).toBe('w')
        else expect(error.code).toBe('cancelled')
        expect(world.ran.filter((each) => each === 'wait w')).toHaveLength(1)
        expect(world.client.inspect().connection?.calls.made).toBe(0)
        expect(await world.until(world.client.world.echo('after'))).toBe('after')
        await world.close()
      }
})
