import { VirtualClock } from '@callbox/testing'
import { expect, test } from 'vitest'
import type { Clock } from './clock.ts'
import { LagMonitor } from './lag.ts'

/** Timers fire this much later than they should. */
class LateClock extends VirtualClock implements Clock {
  lateMs = 0
  override setTimer(callback: () => void, delayMs: number): unknown {
    return super.setTimer(callback, delayMs + this.lateMs)
  }
}

const limits = { maxLagMs: 100, lagMs: 1_000 }

test('a loop that is late all the time is overloaded after a second, and recovers [threat X3]', async () => {
  const clock = new LateClock()
  const lag = new LagMonitor(clock, limits)
  lag.start()
  await clock.advance(1_000)
  expect([lag.overloaded, lag.medianMs]).toEqual([false, 0])
  clock.lateMs = 150
  await clock.advance(600)
  expect(lag.overloaded).toBe(false)
  await clock.advance(1_000)
  expect([lag.overloaded, lag.medianMs]).toEqual([true, 150])
  clock.lateMs = 0
  await clock.advance(1_200)
  expect(lag.overloaded).toBe(false)
  lag.stop()
  expect(clock.pendingTimers).toBe(0)
})

test('one long turn is no overload, nor is a lag below the limit', async () => {
  const clock = new LateClock()
  const lag = new LagMonitor(clock, limits)
  lag.start()
  await clock.advance(1_000)
  clock.lateMs = 800
  await clock.advance(50)
  clock.lateMs = 0
  await clock.advance(900)
  expect(lag.overloaded).toBe(false)
  clock.lateMs = 99
  await clock.advance(3_000)
  expect([lag.overloaded, lag.medianMs]).toEqual([false, 99])
  lag.stop()
})

test('a process that has just started is not overloaded', async () => {
  const clock = new LateClock()
  clock.lateMs = 300
  const lag = new LagMonitor(clock, limits)
  lag.start()
  await clock.advance(500)
  expect(lag.overloaded).toBe(false)
  lag.stop()
  expect(lag.medianMs).toBe(0)
})
