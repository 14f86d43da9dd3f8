// Links that are lost in the middle of a handshake, again and again, and HELLOs that come late.

import { expect, test } from 'vitest'
import { types } from './raw-link.ts'
import { conversation, conversationRan, converse, setUp, type World } from './world.ts'

/** Lets `calls` run, and looks whether anything was lost or done twice. */
async function isWhole(world: World, answers: Promise<unknown>, what: string): Promise<void> {
  expect(await world.until(answers), `${what}`).toEqual(conversation)
  expect(world.ran.toSorted(), `${what}`).toEqual(conversationRan)
  expect(world.told, `${what}`).not.toContain('sessionLost')
  world.transport.fate = () => 'pass'
  await world.close()
}

/** Ten attempts fit into a grace. */
const limits = { maxReconnectMs: 500 }
const frames = { hello: 0x01, welcome: types.welcome, ack: types.ack }

test.each([
  ['HELLO lost', 'hello', 'cut before'],
  ['HELLO arrived, no WELCOME', 'hello', 'cut after'],
  ['WELCOME sent, not received', 'welcome', 'cut before'],
  ['WELCOME received, nothing sent yet', 'welcome', 'cut after'],
  ['the first acknowledgment lost', 'ack', 'cut before'],
] as const)(
  'cut in the resume, once, twice, ten times in a row: %s [case C96]',
  async (what, name, fate) => {
    for (const times of [1, 2, 10]) {
      const world = await setUp({ seed: times, client: { limits } })
      let [frame, cuts] = [0, 0]
      world.transport.fate = (_, bytes, line) => {
        frame += 1
        // The first connection, in the middle of the conversation.
        if (line === world.transport.lines[0]) return frame === 12 ? 'cut after' : 'pass'
        if (bytes[0] !== frames[name] || cuts === times) return 'pass'
        cuts += 1
        return fate
      }
      await isWhole(world, converse(world), `${what} ${times}`)
      expect(cuts).toBe(times)
    }
  },
)

test.each([
  ['HELLO lost', 'hello', 'cut before'],
  ['HELLO arrived, no WELCOME', 'hello', 'cut after'],
  ['WELCOME sent, not received', 'welcome', 'cut before'],
] as const)('cut in the first handshake: %s [case C96]', async (what, name, fate) => {
  for (const times of [1, 2, 5]) {
    const world = await setUp({ seed: times, client: { limits } })
    let cuts = 0
    world.transport.fate = (_, bytes) => {
      if (bytes[0] !== frames[name] || cuts === times) return 'pass'
      cuts += 1
      return fate
    }
    await isWhole(world, converse(world), `${what} ${times}`)
    expect(cuts).toBe(times)
  }
})

/** The client's second HELLO is held back on its way; the client gives that link up and dials again. */
async function lateHello(before: 'confirmed' | 'pending'): Promise<readonly string[]> {
  const world = await setUp()
  const { transport, clock } = world
  const stream = world.client.world.count(200)
  const items: number[] = []
  const reading = (async () => {
    for await (const item of stream) items.push(item)
  })()
  const call = world.client.world.wait('w', { timeoutMs: 100_000 })
  await clock.advance(1)
  let held = false
  transport.fate = (way, bytes, line) => {
    // Of the second line nothing arrives for now.
    if (bytes[0] === frames.hello && line === transport.lines[1]) held = true
    return way === 'up' && before === 'pending' && line === transport.lines[2] ? wait(line) : 'pass'
  }
  const wait = (line: World['transport']['line']): 'pass' => {
    // The WELCOME of the third has gone out, its confirmation waits.
    line.hold('up')
    return 'pass'
  }
  const dial = transport.dial.bind(transport)
  transport.dial = async (options) => {
    const link = await dial(options)
    if (transport.lines.length === 2) transport.lines[1]!.hold('up')
    return link
  }
  transport.lines[0]!.cut()
  while (transport.lines.length < 2) await clock.advance(10)
  await clock.advance(50)
  // The client's own end is gone; what it had sent is still on its way.
  transport.lines[1]!.near!.abort('given up')
  while (transport.lines.length < 3) await clock.advance(10)
  await clock.advance(200)
  transport.lines[1]!.letGo('up')
  await clock.settle()
  for (const line of transport.lines) line.letGo('up')
  await clock.advance(5_000)
  world.release()
  expect(await world.until(call)).toBe('w')
  await world.until(reading)
  expect(items).toEqual(Array.from({ length: 200 }, (_, n) => n + 1))
  expect(world.told).not.toContain('sessionLost')
  expect(held).toBe(true)
  await world.close()
  return world.ran.toSorted()
}

test('a HELLO that comes after the next one of the same client: the live session does not notice [case C96]', async () => {
  expect(await lateHello('confirmed')).toEqual(['count 200', 'wait w'])
})

test('one that comes while the new token is pending: the client resumes once more [case C96]', async () => {
  expect(await lateHello('pending')).toEqual(['count 200', 'wait w'])
})
