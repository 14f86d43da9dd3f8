import { expect, test } from 'vitest'
import { chartOf } from './chart.ts'
import { shrink } from './shrink.ts'

const numbers = Array.from({ length: 40 }, (_, index) => index)

test('what does not matter is left out', async () => {
  const fails = (kept: readonly number[]): Promise<boolean> =>
    Promise.resolve(kept.includes(7) && kept.includes(31))
  expect(await shrink(numbers, fails)).toEqual([7, 31])
})

test('nothing is kept of what fails without anything', async () => {
  expect(await shrink(numbers, () => Promise.resolve(true))).toEqual([])
})

test('a budget that is used up ends it with what still fails', async () => {
  let tests = 0
  const fails = (kept: readonly number[]): Promise<boolean> => {
    tests += 1
    return Promise.resolve(kept.includes(7) && kept.includes(31))
  }
  const kept = await shrink(numbers, fails, { budget: 5 })
  expect(tests).toBeLessThanOrEqual(5)
  expect(kept).toEqual(expect.arrayContaining([7, 31]))
})

test('a chart has a column for each host, and arrows between them', () => {
  const chart = chartOf([
    { atMs: 2, from: 'b', text: 'hears' },
    { atMs: 1, from: 'a', to: 'b', text: 'PING' },
    { atMs: 3, from: 'b', to: 'a', text: 'PONG' },
    { atMs: 4, from: '-', text: 'cut' },
  ])
  const lines = chart.split('\n')
  expect(lines[0]).toMatch(/^ +a +b$/)
  expect(lines[1]).toMatch(/1\.0 +\|-+>\| +PING/)
  expect(lines[2]).toMatch(/2\.0 +\| +\* hears/)
  expect(lines[3]).toMatch(/3\.0 +\|<-+\| +PONG/)
  expect(lines[4]).toContain('== cut')
})
