import { Timers } from '@callbox/core/internal'
import { VirtualClock } from '@callbox/testing'
import { beforeEach, expect, test } from 'vitest'
import { within } from './within.ts'

let clock: VirtualClock
let timers: Timers
beforeEach(() => {
  clock = new VirtualClock()
  timers = new Timers(clock)
})

/** When it settled, as the clock counts; -1 while it has not. */
function settledAt(work: Promise<void>): () => number {
  let at = -1
  void work.then(() => {
    at = clock.now()
  })
  return () => at
}

test('work that is done first: no timer is left', async () => {
  let finish: () => void = () => undefined
  const work = new Promise<void>((resolve) => (finish = resolve))
  const at = settledAt(within(timers, 100, work))
  await clock.advance(40)
  expect(at()).toBe(-1)
  finish()
  await clock.advance(1)
  expect(at()).toBe(40)
  expect(timers.length).toBe(0)
})

test('work that never ends: the time is over', async () => {
  const at = settledAt(within(timers, 100, new Promise(() => undefined)))
  await clock.advance(99)
  expect(at()).toBe(-1)
  await clock.advance(1)
  expect(at()).toBe(100)
})

test('work that fails is over too, and that is its own affair', async () => {
  const at = settledAt(within(timers, 100, Promise.reject(new Error('x'))))
  await clock.advance(1)
  expect(at()).toBe(0)
  expect(timers.length).toBe(0)
})

test('no time at all: at once, whatever the work', async () => {
  for (const ms of [0, -1]) await within(timers, ms, new Promise(() => undefined))
  expect(timers.length).toBe(0)
})
