import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startTicker } from './ticker.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
afterEach(() => void vi.useRealTimers())

test('ticks as often as asked, until it is stopped', () => {
  let ticks = 0
  const stop = startTicker(() => ticks++, 20)
  vi.advanceTimersByTime(1_000)
  expect(ticks).toBe(20)
  stop()
  vi.advanceTimersByTime(1_000)
  expect(ticks).toBe(20)
})

test('makes up for five ticks after a stall and drops the rest', () => {
  let ticks = 0
  const stop = startTicker(() => ticks++, 20)
  const now = vi.spyOn(performance, 'now')
  const start = performance.now()
  now.mockReturnValue(start + 2_000)
  // The first look at the clock after two seconds in which nothing ran.
  vi.advanceTimersByTime(25)
  expect(ticks).toBe(5)
  vi.advanceTimersByTime(25)
  expect(ticks).toBe(5)
  now.mockRestore()
  stop()
})
