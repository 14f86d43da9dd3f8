import { VirtualClock } from '@callbox/testing'
import { expect, test } from 'vitest'
import { Timers } from '../base/timers.ts'
import { StallWatch, type Stallable } from './stall-watch.ts'

interface Fake extends Stallable {
  stuckCredit: number | undefined
}

function watching(streamStallMs: number): {
  clock: VirtualClock
  timers: Timers
  calls: Set<Fake>
  stalled: Fake[]
  watch: StallWatch<Fake>
} {
  const clock = new VirtualClock()
  const timers = new Timers(clock)
  const calls = new Set<Fake>()
  const stalled: Fake[] = []
  const watch = new StallWatch<Fake>(
    { clock, timers, streamStallMs },
    () => [...calls],
    (call) => {
      stalled.push(call)
      calls.delete(call)
    },
  )
  return { clock, timers, calls, stalled, watch }
}

test('a stream without credit for streamStallMs, and no other [threat S3]', async () => {
  const { clock, timers, calls, stalled, watch } = watching(10_000)
  const stuck: Fake = { stuckCredit: 7 }
  const idle: Fake = { stuckCredit: undefined }
  const slow: Fake = { stuckCredit: 1 }
  for (const call of [stuck, idle, slow]) calls.add(call)
  watch.begin()
  for (let second = 0; second < 60; second += 1) {
    slow.stuckCredit = second % 9
    if (second === 12) expect(stalled).toEqual([])
    await clock.advance(1_000)
    if (second === 13) expect(stalled).toEqual([stuck])
  }
  expect(stalled).toEqual([stuck])
  calls.clear()
  await clock.advance(10_000)
  expect(timers.length).toBe(0)
})

test('off by default, and over with its session', async () => {
  const off = watching(0)
  off.calls.add({ stuckCredit: 0 })
  off.watch.begin()
  const closed = watching(1_000)
  closed.calls.add({ stuckCredit: 0 })
  closed.watch.begin()
  closed.watch.close()
  await Promise.all([off.clock.advance(100_000), closed.clock.advance(100_000)])
  expect([off.stalled, closed.stalled]).toEqual([[], []])
  expect([off.timers.length, closed.timers.length]).toEqual([0, 0])
})
