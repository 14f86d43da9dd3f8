// What a resume asks of the ring: where a position stands, the frames again, memory of their own.

import { expect, test } from 'vitest'
import { hex, toHex } from '@callbox/testing/node'
import { ReplayRing } from './replay.ts'

/** A frame whose every byte is `n`. */
function put(ring: ReplayRing, n: number, bytes = 10): void {
  const buffer = new Uint8Array(bytes + 100).fill(n)
  ring.push(buffer, 50, 50 + bytes)
}

function bytesOf(ring: ReplayRing, position: number, now = 0): string {
  const { buffer, start, end } = ring.again(position, now)
  return toHex(buffer.subarray(start, end))
}

test('a position is retained from the last acknowledged to the last sent', () => {
  const ring = new ReplayRing(1_000_000, 64)
  for (let n = 1; n <= 5; n += 1) put(ring, n)
  ring.acknowledge(2)
  expect([0, 1, 2, 3, 4, 5, 6, 7].map((position) => ring.retention(position))).toEqual([
    'dropped',
    'dropped',
    'retained',
    'retained',
    'retained',
    'retained',
    'ahead',
    'ahead',
  ])
  expect(ring.retention(2 ** 31)).toBe('ahead')
  expect(ring.retention(2 ** 31 + 2)).toBe('dropped')
  expect(ring.retention(2 ** 32 - 1)).toBe('dropped')
})

test('the same across 2^32 [case C106]', () => {
  const ring = new ReplayRing(1_000_000, 64, 2 ** 32 - 2)
  for (let n = 1; n <= 4; n += 1) put(ring, n)
  expect(ring.sent).toBe(2)
  expect(ring.acknowledged).toBe(2 ** 32 - 2)
  expect(
    [2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1, 0, 1, 2, 3].map((position) => ring.retention(position)),
  ).toEqual(['dropped', 'retained', 'retained', 'retained', 'retained', 'retained', 'ahead'])
  expect([2 ** 32 - 2, 2 ** 32 - 1, 0, 1].map((position) => bytesOf(ring, position))).toEqual(
    [1, 2, 3, 4].map((n) => toHex(new Uint8Array(10).fill(n))),
  )
  expect(ring.acknowledge(0)).toBe(true)
  expect([ring.length, ring.acknowledged]).toEqual([2, 0])
  expect(bytesOf(ring, 0)).toBe(toHex(new Uint8Array(10).fill(3)))
})

test('frames come again as they were, after wraps of the ring and its growth', () => {
  const ring = new ReplayRing(10_000_000, 64)
  let acknowledged = 0
  const wrong: number[] = []
  for (let n = 0; n < 1_000; n += 1) {
    put(ring, n & 0xff)
    if (n % 7 === 0) ring.acknowledge((acknowledged += 3))
    for (const position of [ring.acknowledged, ring.sent - 1])
      if (bytesOf(ring, position) !== toHex(new Uint8Array(10).fill(position & 0xff)))
        wrong.push(position)
  }
  expect(wrong).toEqual([])
})

test('a deadline says what is left; 0 when it is over', () => {
  const ring = new ReplayRing(1_000_000, 64)
  // REQUEST by id with a deadline of 10,000 ms; by name; without one.
  const byId = hex('00000000 1012 00000001 0005 00002710 c0')
  const byName = hex('00000000 101a 00000003 03 612e62 00002710 c0')
  const without = hex('00000000 1002 00000005 0005 c0')
  ring.push(byId, 4, byId.length, 10_000)
  ring.push(byName, 4, byName.length, 10_000)
  ring.push(without, 4, without.length)
  expect(bytesOf(ring, 0, 4_000)).toBe('10120000000100050000 1770c0'.replace(' ', ''))
  expect(bytesOf(ring, 1, 4_000.5)).toBe('101a0000000303612e620000 176fc0'.replace(' ', ''))
  expect(bytesOf(ring, 2, 4_000)).toBe('1002000000050005c0')
  expect(bytesOf(ring, 0, 10_001)).toBe('101200000001000500000000c0')
})

test('compact copies, and gives each frame its room in front', () => {
  const ring = new ReplayRing(1_000_000, 64)
  const slab = new Uint8Array(65_536).fill(9)
  for (let n = 0; n < 40; n += 1) {
    slab.fill(n, n * 100, n * 100 + 10)
    ring.push(slab, n * 100, n * 100 + 10)
  }
  ring.acknowledge(5)
  const { bytes } = ring
  ring.compact()
  slab.fill(0xff)
  expect(ring.bytes).toBe(bytes)
  const seen = new Set<ArrayBufferLike>()
  for (let n = 5; n < 40; n += 1) {
    const { buffer, start, end } = ring.again(n, 0)
    expect(toHex(buffer.subarray(start, end))).toBe(toHex(new Uint8Array(10).fill(n)))
    expect(start).toBeGreaterThanOrEqual(4)
    // What a link writes in front of one must not touch the one before it.
    buffer.fill(0xee, start - 4, start)
    seen.add(buffer.buffer)
  }
  for (let n = 5; n < 40; n += 1) expect(bytesOf(ring, n)).toBe(toHex(new Uint8Array(10).fill(n)))
  expect(seen.size).toBe(1)
  expect([...seen][0]!.byteLength).toBe(35 * 14)
})

test('compact of an empty ring, and pushes after it', () => {
  const ring = new ReplayRing(1_000_000, 64)
  ring.compact()
  put(ring, 1)
  ring.compact()
  ring.compact()
  put(ring, 2)
  expect([bytesOf(ring, 0), bytesOf(ring, 1)]).toEqual([
    toHex(new Uint8Array(10).fill(1)),
    toHex(new Uint8Array(10).fill(2)),
  ])
})
