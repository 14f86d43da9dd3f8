import { Timers, type Calls } from '@callbox/core/internal'
import { VirtualClock } from '@callbox/testing'
import { beforeEach, expect, test } from 'vitest'
import { departed } from './departure.ts'

let clock: VirtualClock
let timers: Timers

/** As much of a connection's calls as is looked at. */
class Leaver {
  readonly session: { state: 'open' | 'parked' | 'ended' } = { state: 'open' }
  readonly listeners = new Set<() => void>()

  whenEnded(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  leave(): void {
    this.session.state = 'ended'
    for (const listener of this.listeners) listener()
  }
}

let leaver: Leaver
beforeEach(() => {
  clock = new VirtualClock()
  timers = new Timers(clock)
  leaver = new Leaver()
})

function wait(endsAt: number, returnsUntil = endsAt): () => number {
  let at = -1
  const terms = { clock, timers, endsAt, returnsUntil }
  void departed(leaver as unknown as Calls, terms).then(() => {
    at = clock.now()
  })
  return () => at
}

test('a client that leaves is not waited for any longer', async () => {
  const at = wait(10_000)
  await clock.advance(30)
  leaver.leave()
  await clock.advance(1)
  expect(at()).toBe(30)
  expect([timers.length, leaver.listeners.size]).toEqual([0, 0])
})

test('one that has a link and stays, stays a second', async () => {
  const at = wait(10_000)
  await clock.advance(2_000)
  expect(at()).toBe(1_000)
  expect([timers.length, leaver.listeners.size]).toEqual([0, 0])
})

test('one that has lost its link may come back, as long as it can; then it has its second', async () => {
  leaver.session.state = 'parked'
  const never = wait(10_000, 5_000)
  await clock.advance(3_000)
  expect(never()).toBe(-1)
  await clock.advance(7_000)
  expect(never()).toBe(5_000)
  const back = wait(30_000, 25_000)
  await clock.advance(4_000)
  leaver.session.state = 'open'
  await clock.advance(5_000)
  expect(back()).toBeGreaterThanOrEqual(14_900)
  expect(back()).toBeLessThanOrEqual(15_100)
})

test('the end of the grace is the end of all waiting; without any there is none', async () => {
  leaver.session.state = 'parked'
  const at = wait(500, 5_000)
  await clock.advance(2_000)
  expect(at()).toBe(500)
  const none = wait(clock.now())
  await clock.settle()
  expect(none()).toBe(2_000)
})
