import { beforeEach, expect, test } from 'vitest'
import { Timers } from '../base/timers.ts'
import { VirtualClock } from '@callbox/testing'
import { Memory } from '../session/memory.ts'
import { ReceiveBudget } from './budget.ts'
import { WindowTuner, type Tunable } from './tuner.ts'

const KiB = 1024
const window = 256 * KiB

class Stream implements Tunable {
  received = 0
  target: number = window
  resize(size: number): void {
    this.target = size
  }
}

let answer: ((roundTripMs: number, leastMs: number) => void) | undefined
let budget: ReceiveBudget
let tuner: WindowTuner

beforeEach(() => {
  const clock = new VirtualClock()
  const memory = new Memory(clock, new Timers(clock), 256 * KiB * KiB, { bytes: 0 })
  answer = undefined
  budget = new ReceiveBudget(8 * KiB * KiB, memory)
  tuner = new WindowTuner(budget, window, (done) => {
    if (answer !== undefined) return false
    answer = done
    return true
  })
})

/** So many bytes arrive while a PING is out. */
function sample(stream: Stream, bytes: number, roundTripMs: number, leastMs: number): void {
  tuner.onGrant(stream)
  stream.received += bytes
  const done = answer!
  answer = undefined
  done(roundTripMs, leastMs)
}

test('grows towards twice the bandwidth-delay product, at most doubling', () => {
  const stream = new Stream()
  // 100 Mbit/s, 20 ms: 250,000 bytes on the way.
  sample(stream, 250_000, 20, 20)
  expect(stream.target).toBe(2 * window)
  sample(stream, 10_000_000, 20, 20)
  expect(stream.target).toBe(4 * window)
})

test('a line that is full gets no larger window, whatever one sample says', () => {
  const stream = new Stream()
  stream.target = 500_000
  // One fragment more than the line carries in that time: noise of the measure.
  sample(stream, 500_000 + 65_600, 40, 20)
  expect(stream.target).toBe(500_000)
  sample(stream, 400_000 + 65_600, 32, 20)
  expect(stream.target).toBe(500_000)
  // Below that the line has room.
  sample(stream, 380_000, 30, 20)
  expect(stream.target).toBeGreaterThan(500_000)
})

test('what is measured in steps of a fragment still grows, until the line shows a queue', () => {
  const stream = new Stream()
  sample(stream, 2 * 65_600, 20, 20)
  expect(stream.target).toBe(2 * window)
  sample(stream, 4 * 65_600, 21, 20)
  expect(stream.target).toBe(4 * window)
  sample(stream, 8 * 65_600, 32, 20)
  expect(stream.target).toBe(4 * window)
})

test('the least round trip counts: a queue of our own does not make the window grow', () => {
  const stream = new Stream()
  stream.target = 500_000
  // The line still gives 12.5 MB/s, but a PING takes 40 ms for the queue in front of it.
  sample(stream, 500_000, 40, 20)
  expect(stream.target).toBe(500_000)
})

test('shrinks where a queue shows that the line is slower, never below 128 KiB', () => {
  const stream = new Stream()
  for (let round = 0; round < 5; round += 1) sample(stream, 20_000, 200, 20)
  expect(stream.target).toBe(128 * KiB)
})

test('a sender that only sends little is no reason to shrink', () => {
  const stream = new Stream()
  sample(stream, 10, 20, 20)
  expect(stream.target).toBe(window)
})

test('8 MiB is the most, and no window grows while the budget is more than half used', () => {
  const stream = new Stream()
  for (let round = 0; round < 12; round += 1) sample(stream, 64 * KiB * KiB, 20, 20)
  expect(stream.target).toBe(8 * KiB * KiB)
  const other = new Stream()
  expect(budget.reserve(5 * KiB * KiB)).toBe(true)
  sample(other, 64 * KiB * KiB, 20, 20)
  expect(other.target).toBe(window)
})

test('a large announced window keeps CREDIT above what counts as abuse', () => {
  const announced = 16 * KiB * KiB
  const large = new WindowTuner(budget, announced, (done) => {
    answer = done
    return true
  })
  const stream = new Stream()
  stream.target = announced
  for (let round = 0; round < 12; round += 1) {
    large.onGrant(stream)
    answer!(500, 20)
  }
  expect(stream.target / 4).toBeGreaterThanOrEqual(announced / 64)
})

test('a stream that began after the PING is not judged by it, nor one that has left', () => {
  const [early, late] = [new Stream(), new Stream()]
  tuner.onGrant(early)
  tuner.onGrant(late)
  late.received = early.received = 10_000_000
  tuner.leave(early)
  answer!(20, 20)
  expect([early.target, late.target]).toEqual([window, window])
  expect(tuner.length).toBe(1)
})
