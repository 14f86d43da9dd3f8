import { VirtualClock } from '@callbox/testing'
import { expect, test } from 'vitest'
import { FrameWatch } from './frame-watch.ts'

function watching(frameMs: number | undefined): {
  clock: VirtualClock
  watch: FrameWatch
  late: () => number
} {
  const clock = new VirtualClock()
  let late = 0
  const watch = new FrameWatch(clock, frameMs, () => {
    late += 1
  })
  return { clock, watch, late: () => late }
}

test('a frame that drips is late frameMs after its first byte, not after its last', async () => {
  const { clock, watch, late } = watching(30_000)
  for (let second = 0; second < 30; second += 1) {
    watch.after(true, 0)
    expect(late()).toBe(0)
    await clock.advance(1_000)
  }
  expect(late()).toBe(1)
  await clock.advance(100_000)
  expect(late()).toBe(1)
})

test('each frame has its own time, though one timer serves many', async () => {
  const { clock, watch, late } = watching(30_000)
  for (let frame = 0; frame < 5; frame += 1) {
    watch.after(true, frame)
    await clock.advance(29_000)
  }
  watch.after(false, 5)
  await clock.advance(100_000)
  expect(late()).toBe(0)
  watch.after(true, 5)
  await clock.advance(29_999)
  expect(late()).toBe(0)
  await clock.advance(1)
  expect(late()).toBe(1)
})

test('while this side does not read, the peer is not late', async () => {
  const { clock, watch, late } = watching(1_000)
  watch.after(true, 0)
  await clock.advance(900)
  watch.suspend()
  await clock.advance(60_000)
  expect(late()).toBe(0)
  watch.resume()
  await clock.advance(999)
  expect(late()).toBe(0)
  await clock.advance(1)
  expect(late()).toBe(1)
})

test('without a limit, and after close, nothing is armed', async () => {
  const free = watching(undefined)
  free.watch.after(true, 0)
  const closed = watching(10)
  closed.watch.after(true, 0)
  closed.watch.close()
  await Promise.all([free.clock.advance(1_000_000), closed.clock.advance(1_000)])
  expect([free.late(), closed.late()]).toEqual([0, 0])
})
