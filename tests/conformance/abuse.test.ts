// What a peer may not do to a server, over TCP, by a raw peer: each limit, hit, and the server goes on.

import {
  errorOf,
  goAwayOf,
  rawCancel,
  rawCredit,
  rawData,
  rawFrame,
  rawPing,
  rawRequest,
  toMsgpack,
  u32,
  type RawFrame,
} from '@callbox/testing/node'
import { describe, expect, test } from 'vitest'
import { cleanUp, isCut, isServed, serve } from './hostile.ts'

const [dataType, errorType, goAwayType] = [0x11, 0x13, 0x06]
const [creditType, pongType] = [0x15, 0x04]
const [resourceExhausted, flowControl, invalidArgument] = [8, 34, 3]
const KiB = 1024

cleanUp()

const failureOf = (frame: RawFrame): { code: number; flags: number } => errorOf(frame)
const hang = (id: number): Uint8Array => rawRequest({ id, method: 'conf.hang', value: `${id}` })

describe.each(['tcp', 'ws'] as const)('over %s', (name) => {
  test('the 257th call has no slot, one that ends gives one back [threat K4]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    for (let call = 0; call < 257; call += 1) peer.sendFrames(hang(2 * call + 1))
    const refused = await peer.nextOf(errorType)
    expect(refused.id).toBe(513)
    expect(failureOf(refused)).toMatchObject({
      code: resourceExhausted,
      body: ['over limits.maxCalls (256)'],
      retryAfterMs: 1_000,
    })
    expect(world.metrics.counter('limit_hits', 'maxCalls')).toBe(1)
    expect(world.server.inspect().connections[0]!.calls.served).toBe(256)
    peer.sendFrames(rawCancel(1))
    await expect.poll(() => world.server.inspect().connections[0]!.calls.served).toBe(255)
    peer.sendFrames(rawRequest({ id: 515, method: 'conf.nothing' }))
    expect((await peer.nextOf(dataType)).id).toBe(515)
  })

  test('credit of nothing, or too much, costs the call, then the connection [case C79] [threat S2]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    peer.sendFrames(hang(1), rawCredit(1, 0))
    expect(failureOf(await peer.nextOf(errorType)).code).toBe(flowControl)
    const stream = rawRequest({ id: 3, method: 'conf.hangStream', value: { id: 'a', items: 0 } })
    peer.sendFrames(stream, rawCredit(3, 0x7fffffff), rawCredit(3, 0x7fffffff))
    await isCut(world, peer, flowControl, 'credit')
  })

  test('DATA beyond the credit costs the same [case C80] [threat S1]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    const item = new Uint8Array(65_456 - 5)
    const overdraw = (id: number): Uint8Array[] => [
      rawRequest({ id, method: 'conf.hangUpload', value: { id: 'b' }, open: true }),
      ...Array.from({ length: 5 }, () => rawData(id, item)),
    ]
    peer.sendFrames(...overdraw(1))
    expect(failureOf(await peer.nextOf(errorType)).code).toBe(flowControl)
    peer.sendFrames(...overdraw(3))
    await isCut(world, peer, flowControl, 'credit')
  })

  test('CREDIT too small to be of use, again and again [threat S2]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    peer.sendFrames(
      rawRequest({ id: 1, method: 'conf.hangStream', value: { id: 'c', items: 0 } }),
      ...Array.from({ length: 12 }, () => rawCredit(1, 1)),
    )
    await isCut(world, peer, resourceExhausted, 'calm: controlBudget')
    expect(world.metrics.counter('limit_hits', 'controlBudget')).toBe(1)
  })

  test('LIMITS and PING in a flood [case C123] [threat F10]', async () => {
    const world = await serve(name)
    const limits = await world.connect()
    const one = rawFrame(0x07, 0, 0, toMsgpack({ maxCalls: 200 }))
    limits.sendFrames(...Array.from({ length: 100 }, () => one))
    await isCut(world, limits, resourceExhausted, 'calm: controlBudget')
    const pings = await world.connect()
    pings.sendFrames(...Array.from({ length: 10_000 }, () => rawPing()))
    expect(goAwayOf(await pings.nextOf(goAwayType)).code).toBe(resourceExhausted)
    expect(pings.frames.filter((frame) => frame[0] === 0x04).length).toBeLessThanOrEqual(11)
    await isServed(world)
  })

  test('100,000 calls opened and cancelled: few handlers, and the peer is cut [case C121] [threat K3]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    let most = 0
    for (let call = 0; call < 100_000 && !peer.socket.destroyed; call += 500) {
      const pairs: Uint8Array[] = []
      for (let at = call; at < call + 500; at += 1)
        pairs.push(hang(2 * at + 1), rawCancel(2 * at + 1))
      if (peer.socket.writable) peer.sendFrames(...pairs)
      await new Promise((resolve) => setImmediate(resolve))
      for (const { calls } of world.server.inspect().connections)
        most = Math.max(most, calls.served)
      if (peer.frames.some((frame) => frame[0] === goAwayType)) break
    }
    expect(most).toBeLessThanOrEqual(256)
    await isCut(world, peer, resourceExhausted, 'calm: resetBudget')
  })

  test('two of every five calls cancelled, as fast as can be: no harm [threat K3]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    let answers = 0
    for (let round = 0; round < 400; round += 1) {
      const frames: Uint8Array[] = []
      for (let call = 0; call < 5; call += 1) {
        const id = 2 * (round * 5 + call) + 1
        if (call < 2) frames.push(hang(id), rawCancel(id))
        else frames.push(rawRequest({ id, method: 'conf.nothing' }))
      }
      peer.sendFrames(...frames)
      for (let call = 2; call < 5; call += 1) {
        await peer.nextOf(dataType)
        answers += 1
      }
    }
    expect(answers).toBe(1_200)
    expect(world.metrics.counter('limit_hits', 'resetBudget')).toBe(0)
  })

  test('errors that the peer provokes cost the same budget [case C122]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    for (let call = 0; call < 300; call += 1)
      peer.sendFrames(rawRequest({ id: 2 * call + 1, method: 'conf.strict', value: { n: 10 } }))
    expect(failureOf(await peer.nextOf(errorType)).code).toBe(invalidArgument)
    await isCut(world, peer, resourceExhausted, 'calm: resetBudget')
  })

  test('1,000 calls that declare 4 MiB and send a byte: memory for what came [case C92]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    await isServed(world)
    globalThis.gc?.()
    const before = process.memoryUsage()
    const method = 'conf.size'
    const head = Uint8Array.of(method.length, ...Buffer.from(method))
    for (let call = 0; call < 1_000; call += 1)
      // NAMED, MORE: a method, the total, one byte of payload.
      peer.sendFrames(
        rawFrame(0x10, 0x09, 2 * call + 1, head, u32(4 * KiB * KiB), Uint8Array.of(0xc6)),
      )
    for (let refused = 0; refused < 744; refused += 1)
      expect(failureOf(await peer.nextOf(errorType)).code).toBe(resourceExhausted)
    const [connection] = world.server.inspect().connections.filter(({ calls }) => calls.served > 0)
    expect(connection!.calls.served).toBe(256)
    expect(connection!.bytes.buffered).toBe(256 * 65)
    expect(world.metrics.counter('limit_hits', 'resetBudget')).toBe(0)
    globalThis.gc?.()
    const after = process.memoryUsage()
    const growth = after.heapUsed + after.external - before.heapUsed - before.external
    expect(growth).toBeLessThan(2 * KiB * KiB)
  })

  test('handlers that hold the budget: what is large waits, what is small passes [threat C8]', async () => {
    const world = await serve(name, { admissionMs: 200 })
    const peer = await world.connect()
    // An array of 60,000 empty maps: 3.8 MB each while a handler holds it.
    const bomb = Uint8Array.of(0xdc, 0xea, 0x60, ...new Array<number>(60_000).fill(0x80))
    const head = (method: string): Uint8Array =>
      Uint8Array.of(method.length, ...Buffer.from(method))
    for (let call = 0; call < 8; call += 1)
      peer.sendFrames(rawFrame(0x10, 0x0a, 2 * call + 1, head('hoard.hold'), bomb))
    await expect
      .poll(() => world.server.inspect().connections[0]!.calls.waitingForBudget)
      .toBeGreaterThan(0)
    const { held } = world.server.inspect().connections[0]!.bytes
    expect(held).toBeGreaterThan(8 * KiB * KiB)
    expect(held).toBeLessThan(16 * KiB * KiB)
    const refused = await peer.nextOf(errorType)
    expect(failureOf(refused)).toMatchObject({ code: resourceExhausted })
    peer.sendFrames(rawRequest({ id: 101, method: 'conf.nothing' }))
    expect((await peer.nextOf(dataType)).id).toBe(101)
  })

  test('late frames within what was granted, then one too many [case C81] [threat K5]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    peer.sendFrames(
      rawRequest({ id: 1, method: 'conf.first', open: true }),
      rawData(1, new Uint8Array(0)),
    )
    await peer.nextOf(dataType)
    const left = 262_144 - 64 - 66
    const empty = rawFrame(dataType, 0, 1)
    peer.sendFrames(...Array.from({ length: Math.floor(left / 64) }, () => empty))
    // Another call would bring an allowance of its own.
    peer.sendFrames(rawPing())
    expect((await peer.nextOf(pongType)).id).toBe(0)
    peer.sendFrames(...Array.from({ length: 3 }, () => empty))
    await isCut(world, peer, flowControl, 'late')
  })
})

test('a peer that reads nothing is told nothing more than fits [threat S3]', async () => {
  const world = await serve('tcp', { maxCalls: 256 })
  const peer = await world.connect()
  const stream = { id: 's', items: 100_000 }
  for (let call = 0; call < 16; call += 1)
    peer.sendFrames(rawRequest({ id: 2 * call + 1, method: 'conf.hangStream', value: stream }))
  // Windows of 256 KiB each, and no CREDIT: the generators stand still.
  await expect
    .poll(() => peer.frames.filter((frame) => frame[0] === dataType).length, { timeout: 8_000 })
    .toBeGreaterThan(16 * 3_000)
  expect(peer.frames.some((frame) => frame[0] === creditType)).toBe(false)
  const { bytes } = world.server.inspect().connections[0]!
  expect(bytes.waiting).toBeLessThan(16 * KiB)
})

test('a peer that stops reading is cut, others are served meanwhile [case C127] [threat S5]', async () => {
  const world = await serve('tcp', { stallMs: 900 })
  const peer = await world.connect()
  peer.socket.pause()
  // More than the buffers of the kernel take, on either side.
  for (let call = 0; call < 256; call += 1) {
    const value = { id: 'r', items: 100_000 }
    peer.sendFrames(rawRequest({ id: 2 * call + 1, method: 'conf.hangStream', value }))
  }
  const slow = (): number => world.metrics.counter('limit_hits', 'stallMs')
  let mostHeld = 0
  let served = 0
  while (slow() === 0) {
    await isServed(world)
    served += 1
    for (const { bytes } of world.server.inspect().connections)
      mostHeld = Math.max(mostHeld, bytes.ring + bytes.waiting + bytes.unsent)
  }
  expect(served).toBeGreaterThan(0)
  // It acknowledges nothing either: the ring is full, what is beyond stays with the generators.
  expect(mostHeld).toBeGreaterThan(3 * KiB * KiB)
  expect(mostHeld).toBeLessThan(4.5 * KiB * KiB)
})
