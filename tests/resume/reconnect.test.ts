// When a client connects again, what waits meanwhile, and how it ends. On the virtual clock.

import { createClient, safe, type Client, type StateChange } from '@callbox/client'
import { VirtualClock } from '@callbox/testing'
import { expect, test } from 'vitest'
import { types } from './raw-link.ts'
import { kill, restart } from './restart.ts'
import { setUp, world as contract, type World } from './world.ts'

/** 1,000 clients whose server is away for so long: attempts by the tenth of a second. */
async function stampede(awayMs: number): Promise<readonly number[]> {
  const world = await setUp()
  const clients: Client<{ world: typeof contract }>[] = []
  for (let n = 0; n < 1_000; n += 1) {
    const client = createClient({ world: contract }, world.transport, { clock: world.clock })
    clients.push(client)
    await client.world.echo('a')
  }
  const attempts: number[] = []
  const dial = world.transport.dial.bind(world.transport)
  world.transport.dial = (options) => {
    attempts.push(world.clock.now())
    return dial(options)
  }
  const lostAt = world.clock.now()
  await kill(world)
  await world.clock.advance(awayMs)
  const server = await restart(world)
  await world.clock.advance(12_000)
  for (const client of clients) expect(client.state).toBe('connected')
  await Promise.all(clients.map((client) => client.close()))
  await world.close()
  await world.until(server.close({ graceMs: 0 }))
  const tenths = new Array<number>(200).fill(0)
  for (const at of attempts) tenths[Math.floor((at - lostAt) / 100)]! += 1
  return tenths
}

test('1,000 clients whose server is back at once: no 100 ms has more than 200 attempts [case C117] [threat X7]', async () => {
  const tenths = await stampede(0)
  expect(Math.max(...tenths)).toBeLessThanOrEqual(200)
  // It takes a moment to stop the one and start the other.
  expect(tenths.reduce((sum, each) => sum + each, 0)).toBeLessThan(1_200)
})

test('away for 3 s: all are back 12 s later, attempts spread [case C117] [threat X7]', async () => {
  const tenths = await stampede(3_000)
  expect(Math.max(...tenths)).toBeLessThanOrEqual(350)
  expect(tenths.reduce((sum, each) => sum + each, 0)).toBeLessThan(10_000)
})

test('delays: up to a second after a lost link, full jitter up to 30 s, and from the start again after WELCOME [case C117]', async () => {
  const world = await setUp()
  const states: StateChange[] = []
  world.client.on('state', (change) => states.push(change))
  const pauses = (): number[] => states.splice(0).flatMap(({ retryInMs }) => retryInMs ?? [])
  for (let round = 0; round < 20; round += 1) {
    await world.until(world.client.world.echo(`${round}`))
    pauses()
    world.transport.down = true
    world.transport.line.cut()
    await world.clock.advance(round === 0 ? 400_000 : 3_000)
    const [first = NaN, ...later] = pauses()
    expect(first).toBeLessThanOrEqual(1_000)
    later.forEach((ms, attempt) =>
      expect(ms).toBeLessThanOrEqual(Math.min(30_000, 250 * 2 ** (attempt + 1))),
    )
    if (round === 0) expect(Math.max(...later)).toBeGreaterThan(15_000)
    world.transport.down = false
  }
  await world.close()
})

test('calls without a link: they wait, until their deadline; or fail at once [case C118]', async () => {
  const world = await setUp()
  await world.until(world.client.world.echo('a'))
  world.transport.down = true
  world.transport.line.cut()
  await world.clock.advance(1)
  expect(world.client.state).toBe('reconnecting')
  const waits = world.client.world.echo('waits')
  const [atOnce] = await safe(world.client.world.echo('now', { waitForReady: false }))
  expect(atOnce).toMatchObject({ code: 'unavailable', processed: 'no' })
  const late = safe(world.client.world.echo('late', { timeoutMs: 2_000 }))
  await world.clock.advance(2_001)
  expect((await late)[0]).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
  world.transport.down = false
  expect(await world.until(waits)).toBe('waits')
  expect(world.ran).toEqual(['echo a', 'echo waits'])
  await world.close()
})

test('without the first connection the same [case C118]', async () => {
  const world = await setUp({ client: { waitForReady: false } })
  world.transport.down = true
  const failed = await safe(world.client.world.echo('a'))
  expect(failed[0]).toMatchObject({ code: 'unavailable', processed: 'no' })
  const waits = world.client.world.echo('b', { waitForReady: true })
  await world.clock.advance(5_000)
  world.transport.down = false
  expect(await world.until(waits)).toBe('b')
  await world.close()
})

/** Closes a client in a moment of its life, and looks at what is left. */
async function closesWell(world: World, expected: readonly string[]): Promise<void> {
  const { dials } = world.transport
  const calls = ['a', 'b'].map((text) => safe(world.client.world.echo(text)))
  await world.until(world.client.close())
  for (const call of calls) {
    const [error] = await call
    expect(error?.code).toBe('cancelled')
    expect(expected).toContain(error?.processed)
  }
  world.transport.down = false
  await world.clock.advance(60_000)
  expect(world.transport.dials).toBe(dials)
  expect(world.client.state).toBe('closed')
  await world.until(world.server.close({ graceMs: 0 }))
  await world.clock.settle()
  expect(world.clock.pendingTimers).toBe(0)
}

test('close before the first connection, while dialing, in the handshake, in a resume [case C120] [threat G5]', async () => {
  const idle = await setUp()
  await closesWell(idle, ['no'])

  const refused = await setUp()
  refused.transport.down = true
  const waiting = safe(refused.client.world.echo('waiting'))
  await refused.clock.advance(2_000)
  await closesWell(refused, ['no'])
  expect((await waiting)[0]).toMatchObject({ code: 'cancelled', processed: 'no' })

  const shaking = await setUp()
  shaking.transport.fate = (_, __, line) => {
    line.blackhole()
    return 'cut before'
  }
  const early = safe(shaking.client.world.echo('early'))
  await shaking.clock.advance(100)
  await closesWell(shaking, ['no'])
  expect((await early)[0]).toMatchObject({ code: 'cancelled', processed: 'no' })

  const resuming = await setUp()
  const open = safe(resuming.client.world.wait('w'))
  await resuming.clock.advance(100)
  resuming.transport.line.cut()
  resuming.transport.fate = (way, frame, line) => {
    if (way === 'down' && frame[0] === types.welcome) line.blackhole()
    return line.dead ? 'cut before' : 'pass'
  }
  await resuming.clock.advance(2_000)
  resuming.release()
  await closesWell(resuming, ['no'])
  expect((await open)[0]).toMatchObject({ code: 'cancelled', processed: 'unknown' })
})

test('close settles although the credential never comes [case C120]', async () => {
  const world = await setUp({ client: { credential: () => new Promise(() => undefined) } })
  const call = safe(world.client.world.echo('a'))
  await world.clock.advance(100)
  await world.until(world.client.close())
  expect((await call)[0]).toMatchObject({ code: 'cancelled', processed: 'no' })
  await world.until(world.server.close({ graceMs: 0 }))
})

test('an attempt ends in time although the credential never comes [case C120]', async () => {
  let asked = 0
  const credential = (): unknown => {
    asked += 1
    return asked === 1 ? new Promise(() => undefined) : 'good'
  }
  const world = await setUp({ client: { credential } })
  const call = world.client.world.echo('a')
  expect(await world.until(call)).toBe('a')
  expect(asked).toBe(2)
  await world.close()
})

test('close twice, and with the server long gone [threat G5]', async () => {
  const world = await setUp()
  await world.until(world.client.world.echo('a'))
  await kill(world)
  await world.clock.advance(500)
  await world.until(Promise.all([world.client.close(), world.client.close()]))
  await world.until(world.client.close())
  await world.until(world.server.close())
  await world.clock.settle()
  expect(world.clock.pendingTimers).toBe(0)
})

test('states that a user interface can show: reconnecting with the time left, connected, resumed, session lost', async () => {
  const world = await setUp()
  const seen: string[] = []
  world.client.on('state', ({ state, retryInMs }) =>
    seen.push(retryInMs === undefined ? state : `${state} ${retryInMs > 0 ? 'soon' : 'now'}`),
  )
  world.client.on('resumed', () => seen.push('resumed'))
  world.client.on('sessionLost', () => seen.push('session lost'))
  await world.until(world.client.world.echo('a'))
  world.transport.line.cut()
  await world.clock.advance(2_000)
  expect(seen.splice(0)).toEqual([
    'connecting',
    'connected',
    'reconnecting soon',
    'connecting',
    'connected',
    'resumed',
  ])
  const server = await restart(world)
  await world.clock.advance(5_000)
  expect(seen.filter((state) => !state.includes('connecting'))).toEqual([
    'connected',
    'session lost',
  ])
  await world.close()
  await world.until(server.close({ graceMs: 0 }))
})

test('nothing is left after 1,000 starts and stops [threat G5]', async () => {
  const clock = new VirtualClock()
  for (let n = 0; n < 1_000; n += 1) {
    const world = await setUp()
    await world.client.world.echo('a')
    await world.close()
    await world.clock.settle()
    expect(world.clock.pendingTimers).toBe(0)
  }
  expect(clock.pendingTimers).toBe(0)
})
