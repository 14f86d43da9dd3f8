// A resumable stream whose session is lost: it goes on behind the last item, or says where it does not.

import { createClient } from '@callbox/client'
import { contract, serverStream } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { memory, VirtualClock } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { serverOf, setUp, type World } from './world.ts'

const reading = async (stream: AsyncIterable<number>, into: number[]): Promise<void> => {
  for await (const n of stream) into.push(n)
}

/** The process dies: nobody says goodbye, and the next one knows nothing. */
async function restart(world: World): Promise<void> {
  world.transport.line.blackhole()
  const closing = world.server.close({ graceMs: 0, acceptMs: 0 })
  await world.clock.settle()
  world.transport.line.cut()
  await world.clock.advance(2_000)
  await closing
}

test('after a restart it is opened behind the last item, without a gap [case C99]', async () => {
  const world = await setUp()
  const got: number[] = []
  let frames = 0
  // The history is cut off in the middle.
  world.transport.fate = (way, frame) => {
    if (way !== 'down' || frame[0] !== 0x11) return 'pass'
    frames += 1
    return frames === 8 ? 'cut before' : 'pass'
  }
  const done = reading(world.client.world.history(), got)
  await world.clock.settle()
  expect(got).toEqual([1, 2, 3, 4, 5, 6, 7])
  await restart(world)
  const second = serverOf(world.clock, world.ran)
  await second.listen(world.transport)
  await world.until(done)
  expect(got).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  expect(world.ran).toEqual(['history from the start', 'history 7'])
  expect(world.told).toEqual(['sessionLost'])
  await world.until(world.client.close())
  await world.until(second.close())
})

test('a stream that has no position yet is not opened again: what it missed nobody knows', async () => {
  const world = await setUp()
  world.transport.fate = (way, frame) =>
    way === 'down' && frame[0] === 0x11 ? 'cut before' : 'pass'
  const done = reading(world.client.world.history(), [])
  done.catch(() => undefined)
  await world.clock.settle()
  await restart(world)
  world.transport.fate = () => 'pass'
  const second = serverOf(world.clock, world.ran)
  await second.listen(world.transport)
  await expect(world.until(done)).rejects.toMatchObject({
    code: 'session_lost',
    processed: 'unknown',
  })
  await world.until(world.client.close())
  await world.until(second.close())
})

test('a plain stream fails, and says that it had run [case C98]', async () => {
  const world = await setUp()
  let frames = 0
  world.transport.fate = (way, frame) => {
    if (way !== 'down' || frame[0] !== 0x11) return 'pass'
    frames += 1
    return frames === 3 ? 'cut before' : 'pass'
  }
  const got: number[] = []
  const done = reading(world.client.world.count(5), got)
  done.catch(() => undefined)
  await world.clock.settle()
  await restart(world)
  world.transport.fate = () => 'pass'
  const second = serverOf(world.clock, world.ran)
  await second.listen(world.transport)
  await expect(world.until(done)).rejects.toMatchObject({ code: 'session_lost', processed: 'yes' })
  expect(got).toEqual([1, 2])
  await world.until(world.client.close())
  await world.until(second.close())
})

const log = contract('log', {
  follow: serverStream({ output: T.Integer(), resumable: T.Integer() }),
})

test('lost continuity is told before the item that follows it', async () => {
  const clock = new VirtualClock()
  const transport = memory()
  const server = createServer({
    services: [
      implement(log, {
        follow: async function* (_, call) {
          // Kept is only what comes after 10.
          const gone = call.cursor !== undefined && call.cursor < 10
          yield call.at(11, 11, gone ? { reset: 'kept from 11 on' } : {})
          yield call.at(12, 12)
        },
      }),
    ],
    logger: silent,
    clock,
  })
  await server.listen(transport)
  const client = createClient({ log }, transport, { clock })
  const seen: (number | string)[] = []
  const stream = client.log.follow(undefined, { cursor: 4, onReset: (why) => seen.push(why) })
  for await (const n of stream) seen.push(n)
  expect(seen).toEqual(['kept from 11 on', 11, 12])
  // What a listener throws is its own affair: the session goes on, and so does the stream.
  const throws = (): never => {
    throw new Error('listener')
  }
  const items: number[] = []
  for await (const n of client.log.follow(undefined, { cursor: 4, onReset: throws })) items.push(n)
  expect(items).toEqual([11, 12])
  expect(client.state).toBe('connected')
  await client.close()
  await server.close()
})

test('a server that shuts down ends it after four fifths of the grace, and it moves [threat G2]', async () => {
  const clock = new VirtualClock()
  const transport = memory()
  const cursors: unknown[] = []
  const follower = () =>
    createServer({
      services: [
        implement(log, {
          follow: async function* (_, call) {
            cursors.push(call.cursor)
            const next = (call.cursor ?? 0) + 1
            yield call.at(next, next)
            await new Promise((resolve) => call.signal.addEventListener('abort', resolve))
          },
        }),
      ],
      logger: silent,
      clock,
    })
  const first = follower()
  await first.listen(transport)
  const client = createClient({ log }, transport, { clock })
  const stream = client.log.follow()
  expect((await stream.next()).value).toBe(1)
  const more = stream.next()
  const closing = first.close({ graceMs: 1_000, acceptMs: 0 })
  await clock.settle()
  const second = follower()
  await second.listen(transport)
  await clock.advance(799)
  expect(cursors).toEqual([undefined])
  await clock.advance(400)
  expect((await more).value).toBe(2)
  expect(cursors).toEqual([undefined, 1])
  await closing
  stream.cancel()
  await client.close()
  await second.close()
})
