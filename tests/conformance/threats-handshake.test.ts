// Threats of the handshake, by strangers over TCP and WebSocket.

import { randomBytes } from 'node:crypto'
import { VirtualClock } from '@callbox/testing'
import {
  goAwayOf,
  hex,
  prefixed,
  rawHello,
  rawRequest,
  webSocketFrame,
} from '@callbox/testing/node'
import { describe, expect, test } from 'vitest'
import { sizes } from '../sizes.ts'
import { cleanUp, code, isCut, isServed, serve, type } from './hostile.ts'

cleanUp()

/** A good HELLO of exactly so many bytes. */
function helloOf(size: number): Uint8Array {
  const short = rawHello({ auth: 'a'.repeat(1_000) }).length
  const hello = rawHello({ auth: 'a'.repeat(1_000 + size - short) })
  expect(hello).toHaveLength(size)
  return hello
}

describe.each(['tcp', 'ws'] as const)('over %s', (name) => {
  test('strangers that send nothing, or a byte a second, last 5 s from accept [threat H4]', async () => {
    const clock = new VirtualClock()
    const world = await serve(name, {}, { clock })
    const peers = await Promise.all(Array.from({ length: 40 }, () => world.stranger()))
    await expect.poll(() => world.server.inspect().arriving).toBe(40)
    const hello = rawHello()
    const bytes = name === 'tcp' ? prefixed(hello) : webSocketFrame(hello, { masked: true })
    for (let second = 0; second < 4; second += 1) {
      for (const peer of peers.slice(0, 20)) peer.send(bytes.subarray(second, second + 1))
      await clock.advance(1_000)
    }
    await clock.advance(900)
    // An upgrade takes time of the machine, which is not the clock's.
    if (name === 'tcp') expect(world.server.inspect().arriving).toBe(40)
    await clock.advance(100)
    expect(world.server.inspect().arriving).toBe(0)
    await Promise.all(peers.map(({ closed }) => closed))
    expect(world.metrics.counter('limit_hits', 'handshakeMs')).toBe(40)
    await isServed(world)
  })

  test('HELLO of 16,384 bytes is the largest [threat H9]', async () => {
    const world = await serve(name)
    const good = await world.stranger()
    good.sendFrames(helloOf(16_384))
    expect((await good.next()).type).toBe(type.welcome)
    const bad = await world.stranger()
    // No more than the length: the answer does not wait for the rest.
    if (name === 'tcp') bad.send(hex('00004001'))
    else bad.send(hex('82 fe 40 01 00 00 00 00'))
    await bad.closed
    await expect.poll(() => world.metrics.counter('limit_hits', 'maxHello')).toBe(1)
    await isServed(world)
  })

  test('17 calls, or 64 KiB and a byte, before WELCOME [threat H9]', async () => {
    let entered = 0
    let letIn: () => void = () => undefined
    const authenticate = (): Promise<void> =>
      new Promise((resolve) => {
        entered += 1
        letIn = resolve
      })
    const world = await serve(name, {}, { authenticate })
    const shortCall = (call: number): Uint8Array =>
      rawRequest({ id: 2 * call + 1, method: 'conf.nothing' })
    const refused = async (frames: readonly Uint8Array[], limit: string): Promise<void> => {
      const peer = await world.stranger()
      peer.sendFrames(rawHello(), ...frames)
      expect(goAwayOf(await peer.nextOf(type.goAway))).toMatchObject({
        code: code.protocol,
        map: { reason: expect.stringContaining(limit) },
      })
      await peer.closed
    }
    const calls = Array.from({ length: 17 }, (_, call) => shortCall(call))
    await refused(calls, 'limits.maxPipelinedCalls')
    const half = rawRequest({ id: 1, method: 'conf.size', value: new Uint8Array(32_760) })
    const other = rawRequest({ id: 3, method: 'conf.size', value: new Uint8Array(32_760) })
    await refused([half, other], 'limits.maxPipelinedBytes')
    expect(world.metrics.counter('limit_hits', 'maxPipelinedCalls')).toBe(1)
    expect(world.metrics.counter('limit_hits', 'maxPipelinedBytes')).toBe(1)
    // At the limit they wait, and are answered.
    const peer = await world.stranger()
    peer.sendFrames(rawHello(), ...calls.slice(0, 16))
    await expect.poll(() => entered).toBe(3)
    letIn()
    for (let call = 0; call < 16; call += 1)
      expect((await peer.nextOf(type.data)).id).toBe(2 * call + 1)
  })

  test('a credential that is refused takes the calls behind it along, none runs [threat H11]', async () => {
    let asked = 0
    const world = await serve(
      name,
      {},
      {
        authenticate: ({ credential }) => {
          asked += 1
          if (credential !== 'good') throw new Error('secret')
        },
      },
    )
    const peer = await world.stranger()
    peer.sendFrames(
      rawHello({ auth: 'bad' }),
      rawRequest({ id: 1, method: 'conf.values', value: 1 }),
    )
    const { code: number, map } = goAwayOf(await peer.nextOf(type.goAway))
    expect(number).toBe(code.unauthenticated)
    expect(JSON.stringify(map)).not.toContain('secret')
    await peer.closed
    expect(asked).toBe(1)
    expect(world.metrics.counter('calls_served', 'conf.values')).toBe(0)
    expect(world.server.inspect()).toMatchObject({ arriving: 0, connections: [] })
  })

  test('more strangers than there is room: those who are in are served [threat X1]', async () => {
    const most = Math.floor(sizes.dials / 2)
    // Nobody may make room meanwhile, however slow the machine is.
    const limits = { maxConnections: most, maxPreAuth: most, handshakeMs: 600_000 }
    const world = await serve(name, limits)
    const probe = await world.connect()
    const dials = Array.from({ length: sizes.dials }, () =>
      // A reset may come before the peer knows that it was connected.
      world.stranger().catch(() => undefined),
    )
    const peers = await Promise.all(dials)
    const refusals = (): number =>
      world.metrics.counter('limit_hits', 'maxConnections') +
      world.metrics.counter('limit_hits', 'maxPreAuth')
    await expect.poll(refusals, { timeout: 60_000 }).toBe(sizes.dials - most + 1)
    expect(world.server.inspect().arriving).toBe(most - 1)
    probe.sendFrames(rawRequest({ id: 1, method: 'conf.nothing' }))
    expect((await probe.nextOf(type.data)).id).toBe(1)
    for (const peer of peers) await peer?.destroy()
    await expect.poll(() => world.server.inspect().arriving).toBe(0)
    await isServed(world)
  })
})

test.each([
  ['an HTTP request', hex('47 45 54 20')],
  ['a TLS client hello', hex('16 03 01 02 00')],
  ['an SSH banner', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')],
  ['64 KiB of anything', randomBytes(65_536)],
])('%s on a TCP port [threat H8]', async (_, bytes) => {
  const world = await serve('tcp')
  const peer = await world.stranger()
  // Random bytes may happen to be a length that can be.
  if (bytes.length === 65_536) bytes[0] = 0x7f
  peer.send(bytes)
  await peer.closed
  expect(peer.frames).toEqual([])
  expect(world.server.inspect()).toMatchObject({ arriving: 0, connections: [] })
  await isServed(world)
})

test('a first frame that is no HELLO, a HELLO of another magic [threat H8]', async () => {
  const world = await serve('tcp')
  for (const frame of [
    rawRequest({ id: 1, method: 'conf.nothing' }),
    hex('01 00 00000000 48545450'),
  ]) {
    const peer = await world.stranger()
    peer.sendFrames(frame)
    await isCut(world, peer, code.protocol, '')
    expect(world.server.inspect().arriving).toBe(0)
  }
})
