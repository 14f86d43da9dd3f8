import { expect, test } from 'vitest'
import { bucketBounds, MetricsRegistry } from './metrics.ts'

test('counters are kept apart by label', () => {
  const metrics = new MetricsRegistry()
  metrics.count('limit_hits', 'maxCalls')
  metrics.count('limit_hits', 'maxCalls')
  metrics.count('limit_hits', 'maxMeta')
  expect(metrics.counter('limit_hits', 'maxCalls')).toBe(2)
  expect(metrics.counter('limit_hits', 'window')).toBe(0)
  expect(metrics.snapshot().counters).toEqual({
    'limit_hits{maxCalls}': 2,
    'limit_hits{maxMeta}': 1,
  })
})

test('a gauge is what was said last', () => {
  const metrics = new MetricsRegistry()
  metrics.gauge('connections', 3)
  metrics.gauge('connections', 1)
  expect(metrics.snapshot().gauges).toEqual({ connections: 1 })
})

test('a histogram counts each value in the first bucket that holds it', () => {
  const metrics = new MetricsRegistry()
  for (const value of [0, 0.25, 0.26, 10_000, 10_001]) metrics.observe('call_ms', value)
  const { count, sum, buckets } = metrics.snapshot().histograms['call_ms']!
  expect(count).toBe(5)
  expect(sum).toBeCloseTo(20_001.51)
  expect(buckets[0]).toBe(2)
  expect(buckets[1]).toBe(1)
  expect(buckets[bucketBounds.length - 1]).toBe(1)
  expect(buckets[bucketBounds.length]).toBe(1)
})
