import { VirtualClock } from '@callbox/testing'
import { expect, test } from 'vitest'
import { Quiet } from './quiet.ts'

test('once a second and kind, with how often it was [threat X10]', async () => {
  const clock = new VirtualClock()
  const lines: unknown[][] = []
  const quiet = new Quiet(clock, (...line) => void lines.push(line))
  for (let second = 0; second < 60; second += 1) {
    for (let at = 0; at < 10_000; at += 1) {
      quiet.report('warn', 'connection refused', { at })
      if (at % 2 === 0) quiet.report('warn', 'link refused', {})
    }
    await clock.advance(1_000)
  }
  const refused = lines.filter(([, event]) => event === 'connection refused')
  expect(refused).toHaveLength(60)
  expect(refused[0]).toEqual(['warn', 'connection refused', { at: 0 }])
  expect(refused[59]).toEqual(['warn', 'connection refused', { at: 0, repeated: 9_999 }])
  expect(lines).toHaveLength(120)
  quiet.flush()
  quiet.flush()
  expect(lines.slice(120)).toEqual([
    ['warn', 'connection refused', { repeated: 9_999 }],
    ['warn', 'link refused', { repeated: 4_999 }],
  ])
})
