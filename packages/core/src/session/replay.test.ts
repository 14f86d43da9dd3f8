import { hex, toHex } from '@callbox/testing/node'
import { describe, expect, test } from 'vitest'
import { ReplayRing } from './replay.ts'

const frame = new Uint8Array(100)

function ringOf(frames: number, limit = 1_000_000): ReplayRing {
  const ring = new ReplayRing(limit, 64)
  for (let n = 0; n < frames; n += 1) ring.push(frame, 0, 36)
  return ring
}

/** A ring whose next frame gets position `next`, with nothing held. */
const ringAt = (next: number): ReplayRing => new ReplayRing(1_000_000, 64, (next - 1) >>> 0)

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

describe('going out again', () => {
  const bytesOf = (ring: ReplayRing, position: number): readonly number[] => {
    const { buffer, start, end } = ring.again(position, 0)
    return [...buffer.subarray(start, end)]
  }

  test('what a peer has received is retained, ahead or dropped', () => {
    const ring = ringOf(5)
    ring.acknowledge(2)
    expect([1, 2, 3, 5, 6].map((position) => ring.retention(position))).toEqual([
      'dropped',
      'retained',
      'retained',
      'retained',
      'ahead',
    ])
  })

  test('so they are across 2^32 [case C106]', () => {
    const ring = ringAt(2 ** 32 - 1)
    for (let n = 0; n < 4; n += 1) ring.push(frame, 0, 36)
    ring.acknowledge(2 ** 32 - 1)
    const positions = [2 ** 32 - 2, 2 ** 32 - 1, 0, 2, 3]
    expect(positions.map((position) => ring.retention(position))).toEqual([
      'dropped',
      'retained',
      'retained',
      'retained',
      'ahead',
    ])
  })

  test('every frame behind a position, in order, also once they were copied together', () => {
    const ring = new ReplayRing(1_000_000, 64)
    const frames = Array.from({ length: 100 }, (_, n) => new Uint8Array(n + 10).fill(n))
    for (const one of frames) ring.push(one, 3, one.length)
    ring.acknowledge(40)
    const expected = frames.slice(40).map((one) => [...one.subarray(3)])
    const all = (): readonly number[][] =>
      expected.map((_, index) => [...bytesOf(ring, 40 + index)])
    expect(all()).toEqual(expected)
    ring.compact()
    expect(all()).toEqual(expected)
    for (const one of frames) one.fill(0xff)
    expect(all()).toEqual(expected)
    expect(ring.length).toBe(60)
  })

  test('a REQUEST says what is left of its deadline, and never less than nothing', () => {
    const ring = new ReplayRing(1_000_000, 64)
    // NAMED, END and DEADLINE: `a.b`, 1,000 ms, nil.
    const request = hex('10 1a 00000001 03 612e62 000003e8 c0')
    ring.push(request, 0, request.length, 1_500)
    ring.push(request.slice(), 0, request.length)
    ring.again(0, 1_200.5)
    expect(toHex(request)).toBe('101a0000000103612e620000012bc0')
    ring.again(0, 99_000)
    expect(toHex(request)).toBe('101a0000000103612e6200000000c0')
    // One without a deadline of its own is as it was.
    const { buffer } = ring.again(1, 99_000)
    expect(toHex(buffer)).toBe('101a0000000103612e62000003e8c0')
  })

  test('control frames may exceed the ring by 64 KiB, no more', () => {
    const ring = new ReplayRing(1_000, 0)
    const large = new Uint8Array(65_536)
    ring.push(large, 0, 1_000)
    expect([ring.hasRoom(false), ring.hasRoomForControl]).toEqual([false, true])
    ring.push(large, 0, 65_535)
    expect(ring.hasRoomForControl).toBe(true)
    ring.push(large, 0, 1)
    expect(ring.hasRoomForControl).toBe(false)
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
