import { expect, test } from 'vitest'
import { VirtualClock } from './clock.ts'

test('timers run in the order they are due, each at its own millisecond', async () => {
  const clock = new VirtualClock()
  const ran: string[] = []
  clock.setTimer(() => ran.push(`b at ${clock.now()}`), 20)
  clock.setTimer(() => ran.push(`a at ${clock.now()}`), 10)
  clock.setTimer(() => ran.push(`c at ${clock.now()}`), 20)
  await clock.advance(15)
  expect(ran).toEqual(['a at 10'])
  await clock.advance(5)
  expect(ran).toEqual(['a at 10', 'b at 20', 'c at 20'])
  expect(clock.pendingTimers).toBe(0)
})

test('a timer set by what a timer led to runs in the same advance', async () => {
  const clock = new VirtualClock()
  const ran: number[] = []
  const again = async (): Promise<void> => {
    ran.push(clock.now())
    await Promise.resolve()
    if (ran.length < 3) clock.setTimer(() => void again(), 10)
  }
  clock.setTimer(() => void again(), 10)
  await clock.advance(100)
  expect(ran).toEqual([10, 20, 30])
})

test('a timer taken back does not run', async () => {
  const clock = new VirtualClock()
  const timer = clock.setTimer(() => expect.unreachable('it was taken back'), 10)
  clock.clearTimer(timer)
  await clock.advance(20)
  expect(clock.pendingTimers).toBe(0)
})

test('the same seed gives the same chance, another seed another', () => {
  const draw = (seed: number): number[] => {
    const clock = new VirtualClock(seed)
    return [clock.random(), ...clock.randomBytes(8)]
  }
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
})
