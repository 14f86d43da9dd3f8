// Who may take a session over, and what a hostile peer can do about it: raw peers on the virtual clock.

import {
  hex,
  rawAck,
  rawCancel,
  rawFrame,
  rawPing,
  rawRequest,
  toHex,
  toMsgpack,
  valueOf,
} from '@callbox/testing/node'
import { afterEach, expect, test } from 'vitest'
import { codes, RawLink, types } from './raw-link.ts'
import { setUp, type World, type WorldOptions } from './world.ts'

const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

async function serve(options: WorldOptions = {}): Promise<World> {
  const world = await setUp(options)
  worlds.push(world)
  return world
}

interface Held {
  readonly raw: RawLink
  readonly id: Uint8Array
  readonly token: Uint8Array
}

/** A raw client with a session. */
async function hold(world: World, map: Record<string, unknown> = {}): Promise<Held> {
  const raw = await RawLink.connect(world.transport)
  raw.hello(map)
  await world.clock.settle()
  const { id, token } = raw.welcome!.session!
  return { raw, id, token }
}

/** Another link that asks for the session. */
async function ask(
  world: World,
  session: Record<string, unknown>,
  map: Record<string, unknown> = {},
): Promise<RawLink> {
  const raw = await RawLink.connect(world.transport)
  raw.hello({ ...map, session })
  await world.clock.settle()
  return raw
}

/** The link is served: an echo comes back. */
async function isServed(world: World, raw: RawLink, id: number): Promise<void> {
  raw.send(rawRequest({ id, method: 'world.echo', value: `served ${id}` }))
  await world.clock.settle()
  const answer = raw.of(types.data).findLast((frame) => frame.id === id)
  expect(answer === undefined ? undefined : valueOf(answer)).toBe(`served ${id}`)
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array =>
  bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))

const whoIs = ({ credential }: { credential: unknown }): { principal: string } => {
  if (typeof credential !== 'string') throw new Error('no credential')
  return { principal: credential }
}

test('WELCOME gives a session: 16 bytes of id and token, other ones each time [threat R2]', async () => {
  const world = await serve()
  const seen = new Set<string>()
  for (let n = 0; n < 50; n += 1) {
    const { raw, id, token } = await hold(world)
    expect([id.length, token.length]).toEqual([16, 16])
    expect(raw.welcome).toMatchObject({ resumed: false, received: 0, session: { graceMs: 30_000 } })
    seen.add(toHex(id)).add(toHex(token))
    raw.abort()
  }
  expect(seen.size).toBe(100)
})

test('the old link is fenced: told so, closed within a second, deaf [case C97] [threat R4]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  await isServed(world, raw, 1)
  const next = await ask(world, { id, token, received: raw.received })
  expect(next.welcome).toMatchObject({ resumed: true, received: 1 })
  expect(raw.goAway).toEqual({ code: codes.aborted, reason: 'replaced' })
  // Late frames of the fenced link: nothing is dispatched, nothing counted.
  raw.send(rawRequest({ id: 3, method: 'world.echo', value: 'late' }))
  next.send(rawAck(0))
  await world.clock.advance(1_000)
  expect(raw.closed).toBe(true)
  expect(world.ran).toEqual(['echo served 1'])
  await isServed(world, next, 3)
})

test('no token, no credential: the live link goes on undisturbed, 1,000 times [case C97] [case C102] [threat R4]', async () => {
  const world = await serve({ server: { authenticate: whoIs } })
  const { raw, id, token } = await hold(world, { auth: 'ada' })
  await isServed(world, raw, 1)
  for (let n = 0; n < 1_000; n += 1) {
    const refused = n % 2 === 0
    const bad = refused
      ? await ask(world, { id, token, received: 1 })
      : await ask(world, { id, token: flipped(token, n % 128), received: 1 }, { auth: 'ada' })
    if (refused) expect(bad.goAway?.code).toBe(codes.unauthenticated)
    else expect(bad.welcome?.resumed).toBe(false)
    bad.abort()
  }
  expect(raw.goAway).toBeUndefined()
  await isServed(world, raw, 3)
  expect(raw.of(types.data)).toHaveLength(2)
  expect(world.ran).toEqual(['echo served 1', 'echo served 3'])
})

test.each([
  ['another principal', { auth: 'bob' }, {}],
  ['another contract', { auth: 'ada', contracts: [['other', '0123456789abcdef']] }, {}],
  ['a token with one bit changed', { auth: 'ada' }, { bit: 0 }],
  ['a token with its last bit changed', { auth: 'ada' }, { bit: 127 }],
])(
  '%s: a new session, and the parked one is as it was [case C102] [case C103] [threat R2]',
  async (_, map, change: { bit?: number }) => {
    const world = await serve({ server: { authenticate: whoIs } })
    const { raw, id, token } = await hold(world, { auth: 'ada' })
    await isServed(world, raw, 1)
    raw.abort()
    const wrong = change.bit === undefined ? token : flipped(token, change.bit)
    const other = await ask(world, { id, token: wrong, received: 1 }, map)
    expect(other.welcome?.resumed).toBe(false)
    expect(other.welcome?.session?.id).not.toEqual(id)
    await isServed(world, other, 1)
    const right = await ask(world, { id, token, received: 1 }, { auth: 'ada' })
    expect(right.welcome).toMatchObject({ resumed: true, received: 1 })
  },
)

test('a retired token is refused; the live session does not notice [case C102] [threat R2]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  raw.abort()
  const second = await ask(world, { id, token, received: 0 })
  second.send(rawAck(0))
  await world.clock.settle()
  const thief = await ask(world, { id, token, received: 0 })
  expect(thief.welcome?.resumed).toBe(false)
  expect(second.goAway).toBeUndefined()
  await isServed(world, second, 1)
})

test('a WELCOME that was lost: the old token resumes again, and gets the same new one, which resumes too [case C96] [case C102] [threat R2]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  raw.abort()
  const tokens: Uint8Array[] = []
  for (let n = 0; n < 3; n += 1) {
    const again = await ask(world, { id, token, received: 0 })
    expect(again.welcome?.resumed).toBe(true)
    tokens.push(again.welcome!.session!.token)
    again.abort()
  }
  expect(tokens[1]).toEqual(tokens[0])
  expect(tokens[2]).toEqual(tokens[0])
  expect(tokens[0]).not.toEqual(token)
  const withPending = await ask(world, { id, token: tokens[0], received: 0 })
  expect(withPending.welcome?.resumed).toBe(true)
  expect(withPending.welcome!.session!.token).toEqual(tokens[0])
  // A frame: WELCOME has arrived. Now the old one is retired, and the new one rotates.
  withPending.send(rawPing())
  await world.clock.settle()
  expect((await ask(world, { id, token, received: 0 })).welcome?.resumed).toBe(false)
  const last = await ask(world, { id, token: tokens[0], received: 0 })
  expect(last.welcome?.resumed).toBe(true)
  expect(last.welcome!.session!.token).not.toEqual(tokens[0])
})

test('a credential that is refused ends the attempt; the parked session stays [case C103] [threat R7]', async () => {
  const world = await serve({ server: { authenticate: whoIs } })
  const { raw, id, token } = await hold(world, { auth: 'ada' })
  raw.abort()
  const refused = await ask(world, { id, token, received: 0 })
  expect(refused.goAway?.code).toBe(codes.unauthenticated)
  await world.clock.advance(20_000)
  const right = await ask(world, { id, token, received: 0 }, { auth: 'ada' })
  expect(right.welcome?.resumed).toBe(true)
})

test('a position ahead of what was sent is refused, also by one; the parked session stays [threat R3]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  await isServed(world, raw, 1)
  raw.abort()
  for (const received of [2, 1_000, 2 ** 31 - 1, 2 ** 32, 2 ** 53, -1, 0.5, 'one', null]) {
    const ahead = await ask(world, { id, token, received })
    expect(ahead.goAway?.code, `${received}`).toBe(codes.protocol)
  }
  const right = await ask(world, { id, token, received: 1 })
  expect(right.welcome).toMatchObject({ resumed: true, received: 1 })
})

test('a position that was acknowledged before cannot be resumed any more [threat R3]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  await isServed(world, raw, 1)
  await isServed(world, raw, 3)
  raw.send(rawAck(2))
  await world.clock.settle()
  raw.abort()
  const behind = await ask(world, { id, token, received: 1 })
  expect(behind.welcome?.resumed).toBe(false)
  expect(behind.of(types.data)).toEqual([])
  const right = await ask(world, { id, token, received: 2 })
  expect(right.welcome?.resumed).toBe(true)
})

test('what was not received is sent again, from exactly that position, in order [case C94]', async () => {
  for (let received = 0; received <= 5; received += 1) {
    const world = await serve()
    const { raw, id, token } = await hold(world)
    for (let n = 0; n < 5; n += 1) await isServed(world, raw, 2 * n + 1)
    raw.abort()
    const next = await ask(world, { id, token, received })
    next.send(rawAck(received))
    await world.clock.settle()
    expect(next.of(types.data).map((frame) => frame.id)).toEqual([1, 3, 5, 7, 9].slice(received))
    expect(world.ran).toHaveLength(5)
  }
})

test('an acknowledged position beyond what was sent ends the session; one that goes back is ignored [case C105] [threat R6]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  await isServed(world, raw, 1)
  raw.send(rawAck(1), rawAck(0), rawAck(1))
  await world.clock.settle()
  expect(raw.goAway).toBeUndefined()
  raw.send(rawAck(2))
  await world.clock.advance(1_000)
  expect(raw.goAway?.code).toBe(codes.protocol)
  expect(raw.closed).toBe(true)
  const after = await ask(world, { id, token, received: 1 })
  expect(after.welcome?.resumed).toBe(false)
})

test.each([
  ['__proto__', '5f5f70726f746f5f5f00000000000000'],
  ['constructor', '636f6e7374727563746f720000000000'],
])('an id of %s is only an unknown one [threat R8]', async (_, id) => {
  const world = await serve()
  const { token } = await hold(world)
  const raw = await ask(world, { id: hex(id), token, received: 0 })
  expect(raw.welcome?.resumed).toBe(false)
  await isServed(world, raw, 1)
})

test.each([
  ['an id of 15 bytes', { id: new Uint8Array(15) }],
  ['an id of 17 bytes', { id: new Uint8Array(17) }],
  ['an id of text', { id: '0123456789abcdef' }],
  ['a token of 15 bytes', { token: new Uint8Array(15) }],
  ['a token of 17 bytes', { token: new Uint8Array(17) }],
  ['no token', { token: undefined }],
  ['no position', { received: undefined }],
])('%s is no session [threat R8]', async (_, change) => {
  const world = await serve()
  const { id, token } = await hold(world)
  const raw = await ask(world, { id, token, received: 0, ...change })
  expect(raw.goAway?.code).toBe(codes.protocol)
})

test('a session that is no map is refused', async () => {
  const world = await serve()
  const raw = await RawLink.connect(world.transport)
  raw.hello({ session: [1, 2, 3] })
  await world.clock.settle()
  expect(raw.goAway?.code).toBe(codes.protocol)
})

test('100 resumes at once: one link is left, each handler ran once [threat R4]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  for (let n = 0; n < 10; n += 1) await isServed(world, raw, 2 * n + 1)
  const all: RawLink[] = []
  for (let n = 0; n < 100; n += 1) {
    const each = await RawLink.connect(world.transport)
    each.hello({ session: { id, token, received: 10 } })
    all.push(each)
  }
  await world.clock.advance(1_500)
  const left = all.filter((each) => !each.closed)
  expect(left).toHaveLength(1)
  expect(all.filter((each) => each.welcome?.resumed === true)).toHaveLength(100)
  await isServed(world, left[0]!, 21)
  expect(world.ran).toHaveLength(11)
  expect(world.server.inspect().connections).toHaveLength(1)
})

test('a replay that begins one frame early: the REQUEST is not run again [threat R9]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  await isServed(world, raw, 1)
  raw.abort()
  const next = await ask(world, { id, token, received: 1 })
  expect(next.welcome?.received).toBe(1)
  next.send(rawRequest({ id: 1, method: 'world.echo', value: 'again' }))
  await world.clock.settle()
  expect(next.goAway?.code).toBe(codes.protocol)
  expect(world.ran).toEqual(['echo served 1'])
})

test('a frame before the session is resumed is refused, the parked session stays [case C96]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  raw.abort()
  const eager = await RawLink.connect(world.transport)
  eager.hello({ session: { id, token, received: 0 } })
  eager.send(rawRequest({ id: 1, method: 'world.echo', value: 'early' }))
  await world.clock.settle()
  expect(eager.goAway?.code).toBe(codes.protocol)
  expect(world.ran).toEqual([])
  expect((await ask(world, { id, token, received: 0 })).welcome?.resumed).toBe(true)
})

test('skipped, refused, late and discarded frames count: the position is exact [case C9] [case C96]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  raw.send(
    rawRequest({ id: 1, method: 'world.wait', value: 'w' }),
    // An unknown type that may be skipped; below 0x10 such a one does not count.
    rawFrame(0x60, 0x80, 0, toMsgpack({})),
    rawFrame(0x0f, 0x80, 0),
    // Refused.
    rawRequest({ id: 3, method: 'world.nothing' }),
    rawCancel(1),
    // Late.
    rawCancel(1),
  )
  await world.clock.settle()
  raw.abort()
  const next = await ask(world, { id, token, received: raw.received })
  expect(next.welcome).toMatchObject({ resumed: true, received: 5 })
  await isServed(world, next, 5)
})

test('a session that GOAWAY 0 has closed cannot be resumed', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  raw.send(rawFrame(0x06, 0, 0, hex('00 00 0000 00000000'), toMsgpack({})))
  await world.clock.settle()
  expect(world.server.inspect().connections).toEqual([])
  expect((await ask(world, { id, token, received: 0 })).welcome?.resumed).toBe(false)
})

test('a session is over when its grace is [case C98]', async () => {
  const world = await serve()
  const { raw, id, token } = await hold(world)
  raw.abort()
  await world.clock.advance(29_990)
  const kept = await ask(world, { id, token, received: 0 })
  expect(kept.welcome?.resumed).toBe(true)
  kept.send(rawAck(0))
  const { token: second } = kept.welcome!.session!
  await world.clock.settle()
  kept.abort()
  await world.clock.advance(30_010)
  expect(world.server.inspect().connections).toEqual([])
  expect((await ask(world, { id, token: second, received: 0 })).welcome?.resumed).toBe(false)
})
