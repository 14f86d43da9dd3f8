import { describe, expect, test } from 'vitest'
import { ReplayRing } from './replay.ts'

const frame = new Uint8Array(100)

function ringOf(frames: number, limit = 1_000_000): ReplayRing {
  const ring = new ReplayRing(limit, 64)
  for (let n = 0; n < frames; n += 1) ring.push(frame, 0, 36)
  return ring
}

/** A ring whose next frame gets position `next`, with nothing held. */
function ringAt(next: number): ReplayRing {
  const ring = new ReplayRing(1_000_000, 64)
  ring.sent = (next - 1) >>> 0
  return ring
}

const state = (ring: ReplayRing): readonly number[] => [
  ring.sent,
  ring.acknowledged,
  ring.length,
  ring.bytes,
]

describe('positions', () => {
  test('are the count of frames sent; nothing is acknowledged at first', () => {
    expect(state(new ReplayRing(1_000, 64))).toEqual([0, 0, 0, 0])
    expect(state(ringOf(3))).toEqual([3, 0, 3, 300])
  })

  test('an acknowledgment drops what it covers, and its bytes', () => {
    const ring = ringOf(5)
    expect(ring.acknowledge(2)).toBe(true)
    expect(state(ring)).toEqual([5, 2, 3, 300])
    expect(ring.acknowledge(5)).toBe(true)
    expect(state(ring)).toEqual([5, 5, 0, 0])
  })

  test('one that comes again, or goes back, changes nothing', () => {
    const ring = ringOf(5)
    ring.acknowledge(4)
    for (const position of [4, 3, 0, 4]) {
      expect(ring.acknowledge(position)).toBe(true)
      expect(state(ring)).toEqual([5, 4, 1, 100])
    }
  })

  test('one ahead of what was sent is refused, and drops nothing [case C105]', () => {
    const ring = ringOf(5)
    for (const position of [6, 7, 2 ** 31 - 1]) {
      expect(ring.acknowledge(position)).toBe(false)
      expect(state(ring)).toEqual([5, 0, 5, 500])
    }
  })

  test('an empty ring knows its position, and refuses the next one', () => {
    const ring = ringOf(2)
    ring.acknowledge(2)
    expect(ring.acknowledge(2)).toBe(true)
    expect(ring.acknowledge(3)).toBe(false)
  })

  test('cross 2^32: 10 frames before it and 10 behind it are dropped one by one', () => {
    const ring = ringAt(2 ** 32 - 10)
    for (let n = 0; n < 20; n += 1) ring.push(frame, 0, 36)
    expect(state(ring)).toEqual([9, 2 ** 32 - 11, 20, 2_000])
    for (let n = 0; n < 20; n += 1) {
      const position = (2 ** 32 - 10 + n) >>> 0
      expect(ring.acknowledge(position)).toBe(true)
      expect(ring.acknowledged).toBe(position)
      expect(ring.length).toBe(19 - n)
    }
    expect(ring.acknowledge(10)).toBe(false)
    expect(ring.acknowledge(2 ** 32 - 1)).toBe(true)
    expect(state(ring)).toEqual([9, 9, 0, 0])
  })

  test('half of the range behind is behind, one less is ahead', () => {
    const ring = ringOf(1)
    expect(ring.acknowledge(2 ** 31)).toBe(true)
    expect(ring.acknowledge(2 ** 31 - 1)).toBe(false)
    expect(ring.length).toBe(1)
  })
})

describe('room', () => {
  test('is charged frame + 64, so empty frames are not free', () => {
    const ring = new ReplayRing(640, 64)
    for (let n = 0; n < 10; n += 1) {
      expect(ring.hasRoom(false)).toBe(true)
      ring.push(frame, 7, 7)
    }
    expect(ring.bytes).toBe(640)
    expect(ring.hasRoom(false)).toBe(false)
  })

  test('fragments leave the last sixteenth to single frames', () => {
    const ring = new ReplayRing(1_600, 0)
    ring.push(frame, 0, 0)
    for (let n = 0; n < 15; n += 1) {
      expect(ring.hasRoom(true)).toBe(true)
      ring.push(frame, 0, 100)
    }
    expect([ring.bytes, ring.hasRoom(true), ring.hasRoom(false)]).toEqual([1_500, false, true])
    ring.push(frame, 0, 100)
    expect([ring.bytes, ring.hasRoom(false)]).toEqual([1_600, false])
  })

  test('comes back with every acknowledgment', () => {
    const ring = new ReplayRing(200, 0)
    ring.push(frame, 0, 100)
    ring.push(frame, 0, 100)
    expect(ring.hasRoom(false)).toBe(false)
    ring.acknowledge(1)
    expect(ring.hasRoom(false)).toBe(true)
  })

  test('CANCEL, CREDIT and END may exceed it: push never refuses', () => {
    const ring = new ReplayRing(100, 0)
    ring.push(frame, 0, 100)
    ring.push(frame, 0, 7)
    expect([ring.length, ring.bytes]).toEqual([2, 107])
  })
})

test('a window of frames that moves on, far longer than its first capacity', () => {
  const ring = new ReplayRing(1_000_000, 64)
  let bytes = 0
  const sizes: number[] = []
  for (let n = 0; n < 5_000; n += 1) {
    const size = n % 97
    ring.push(frame, 0, size)
    sizes.push(size + 64)
    bytes += size + 64
    // Between 1 and 200 frames stay: the ring grows with its head in the middle.
    if (ring.length > 1 + (n % 200)) {
      bytes -= sizes[ring.acknowledged]!
      expect(ring.acknowledge(ring.acknowledged + 1)).toBe(true)
    }
    expect(ring.bytes).toBe(bytes)
  }
  expect(ring.sent).toBe(5_000)
  expect(ring.acknowledge(5_000)).toBe(true)
  expect(state(ring)).toEqual([5_000, 5_000, 0, 0])
  // Small again after the burst, and as good as new.
  ring.push(frame, 0, 36)
  expect(state(ring)).toEqual([5_001, 5_000, 1, 100])
})

test('what is acknowledged is let go: the buffer is free for the collector', async () => {
  const gc = globalThis.gc!
  const ring = ringOf(0)
  const weak = (() => {
    const buffer = new Uint8Array(1_000_000)
    ring.push(buffer, 0, buffer.length)
    return new WeakRef(buffer)
  })()
  ring.push(frame, 0, 36)
  await new Promise((resolve) => setImmediate(resolve))
  gc()
  expect(weak.deref()).toBeDefined()
  ring.acknowledge(1)
  for (let turn = 0; turn < 10 && weak.deref() !== undefined; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    gc()
  }
  expect(weak.deref()).toBeUndefined()
})
