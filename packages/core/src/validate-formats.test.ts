// The formats of TypeBox, on text that a peer chose.

import { Format } from 'typebox/format'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { validate } from './validate.ts'

/** mulberry32: integers below `below`. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** What the patterns of formats are made of, and what does not fit any. */
const pieces = [
  ' ',
  '\ud800',
  '\u0000',
  '\u200d',
  '\u0301',
  ...(
    'a Z 0 1 9 . - _ : / @ % %20 " \\ ~0 ~2 # ? & = + ! ( ) [ ] { } * | ^ $ , ; \' é ß 。 😈 xn-- T ' +
    'P PT http:// a:// mailto: a@a. a.a :: ffff: 255. 2024-02-29 23:59:60 +14:00 P1Y 1D {+a} {a*} ' +
    'urn:uuid: 123e4567-e89b-12d3-a456-426614174000'
  ).split(' '),
]

const below = seeded(12)
const one = (): string => pieces[below(pieces.length)]!

/** At most 256 characters; half of them are one piece again and again, which costs most. */
function text(): string {
  const [before, repeated, after] = [one(), one(), one()]
  if (below(2) === 0) return `${before}${repeated.repeat(1 + below(250))}`.slice(0, 255) + after[0]
  return Array.from({ length: below(40) }, one)
    .join('')
    .slice(0, 256)
}

function elapsed(run: () => void): number {
  const start = performance.now()
  run()
  return performance.now() - start
}

const names = Format.Entries().map(([name]) => name)

test('TypeBox has formats', () => {
  expect(names.length).toBeGreaterThanOrEqual(21)
  expect(names).toEqual(
    expect.arrayContaining(['email', 'uri', 'uuid', 'date-time', 'ipv6', 'url']),
  )
})

test.each(names)('%s: 10,000 texts, each in less than 1 ms [threat C12]', (format) => {
  const validator = validate(T.String({ format }))
  // The first check compiles.
  validator.check('')
  const check = Format.Get(format)!
  const slow: string[] = []
  for (let count = 0; count < 10_000; count += 1) {
    const value = text()
    let best = elapsed(() => check(value))
    // Something else may have run meanwhile.
    for (let again = 0; again < 20 && best >= 1; again += 1)
      best = Math.min(
        best,
        elapsed(() => check(value)),
      )
    if (best >= 1) slow.push(value)
    if (count % 100 === 0)
      expect(validator.check(value) === undefined, `${value}`).toBe(check(value) === true)
  }
  expect(slow).toEqual([])
})
