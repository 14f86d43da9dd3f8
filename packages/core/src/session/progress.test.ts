import { expect, test } from 'vitest'
import { Progress, type Outgoing } from './progress.ts'

function state(changes: Partial<Outgoing>): Outgoing {
  return { left: 0, unsent: 1, full: false, acknowledged: 0, ...changes }
}

test('nothing leaves for stallMs: given up at the look that sees it [case C127]', () => {
  const progress = new Progress(30_000)
  progress.begin(0, state({}))
  expect(progress.checkMs).toBe(10_000)
  expect(progress.check(10_000, state({}))).toBe('wait')
  expect(progress.check(20_000, state({}))).toBe('wait')
  expect(progress.check(30_000, state({}))).toBe('unsent')
})

test('one byte a second is no progress [threat S6]', () => {
  const progress = new Progress(30_000)
  progress.begin(0, state({}))
  const verdicts = [10, 20, 30, 40].map((s) => progress.check(s * 1_000, state({ left: s })))
  expect(verdicts).toEqual(['wait', 'wait', 'unsent', 'unsent'])
})

test('1 KiB in 10 s is', () => {
  const progress = new Progress(30_000)
  progress.begin(0, state({}))
  for (let look = 1; look <= 20; look += 1)
    expect(progress.check(look * 10_000, state({ left: look * 1_024 }))).toBe('wait')
})

test('a full ring wants acknowledgments that move', () => {
  const progress = new Progress(30_000)
  const full = { unsent: 0, full: true }
  progress.begin(0, state(full))
  expect(progress.check(10_000, state({ ...full, acknowledged: 1 }))).toBe('wait')
  for (const now of [20_000, 30_000])
    expect(progress.check(now, state({ ...full, acknowledged: 1 }))).toBe('wait')
  expect(progress.check(40_000, state({ ...full, acknowledged: 1 }))).toBe('unacknowledged')
})

test('says since when nothing moves, for whoever looks for the longest', () => {
  const progress = new Progress(30_000)
  progress.begin(5, state({}))
  expect(progress.stalledSince(state({}))).toBe(5)
  expect(progress.stalledSince(state({ left: 2_000 }))).toBeUndefined()
  expect(progress.check(10_000, state({ unsent: 0 }))).toBe('idle')
  expect(progress.stalledSince(state({}))).toBeUndefined()
})
