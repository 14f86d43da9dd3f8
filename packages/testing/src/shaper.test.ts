import { expect, test, vi } from 'vitest'
import { Shaper, type LineShape } from './shaper.ts'

/** A line whose time moves by hand. */
function line(shape: LineShape) {
  let now = 0
  const arrived: [number, number][] = []
  const ends = {
    write: (bytes: Uint8Array) => arrived.push([now, bytes.length]),
    pause: vi.fn(),
    resume: vi.fn(),
    end: vi.fn(),
    cut: vi.fn(),
    reset: vi.fn(),
  }
  const shaper = new Shaper(shape, ends, () => now)
  const at = (ms: number): void => {
    now = ms
    // Lets go of what is due, as its timer would.
    shaper.unstall()
  }
  return { shaper, ends, arrived, at }
}

test('a byte is due when the line has carried it, and the delay is over', () => {
  // 1,000 bytes a millisecond.
  const { shaper, arrived, at } = line({ bitsPerSecond: 8_000_000, delayMs: 10 })
  shaper.push(new Uint8Array(1_000))
  shaper.push(new Uint8Array(1_000))
  at(10.9)
  expect(arrived).toEqual([])
  at(11)
  expect(arrived).toEqual([[11, 1_000]])
  at(12)
  expect(arrived).toEqual([
    [11, 1_000],
    [12, 1_000],
  ])
  shaper.stop()
})

test('a late look loses no bandwidth', () => {
  const { shaper, arrived, at } = line({ bitsPerSecond: 8_000_000 })
  for (let chunk = 0; chunk < 50; chunk += 1) shaper.push(new Uint8Array(1_000))
  at(50)
  expect(arrived.reduce((sum, [, length]) => sum + length, 0)).toBe(50_000)
  shaper.stop()
})

test('over its queue the source is not read, and again when there is room', () => {
  const { shaper, ends, at } = line({ bitsPerSecond: 8_000_000 })
  shaper.push(new Uint8Array(100_000))
  expect(ends.pause).toHaveBeenCalledTimes(1)
  at(90)
  expect(ends.resume).toHaveBeenCalledTimes(1)
  shaper.stop()
})

test('the end comes behind the last byte', () => {
  const { shaper, ends, at } = line({ delayMs: 5 })
  shaper.push(new Uint8Array(1))
  shaper.finish()
  expect(ends.end).not.toHaveBeenCalled()
  at(5)
  expect(ends.end).toHaveBeenCalledTimes(1)
  shaper.stop()
})
