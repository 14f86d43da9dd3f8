import { isUtf8 } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sizes } from '../../../tests/sizes.ts'
import { WebSocketError } from './opcode.ts'
import { textOf, Utf8Checker } from './utf8.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** How many bytes are taken before the first that cannot be; -1 if all can. */
function faultAt(bytes: Uint8Array): number {
  const checker = new Utf8Checker()
  for (let at = 0; at < bytes.length; at += 1) if (!checker.push(bytes, at, at + 1)) return at
  return -1
}

function isText(bytes: Uint8Array, cuts: readonly number[]): boolean {
  const checker = new Utf8Checker()
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    if (!checker.push(bytes, from, to)) return false
    from = to
  }
  return checker.complete
}

describe('the first wrong byte is refused, not a later one', () => {
  test.each([
    ['a continuation alone', '80', 0],
    ['C0, which is always overlong', 'c0 80', 0],
    ['C1', 'c1 bf', 0],
    ['E0 with an overlong second', 'e0 9f bf', 1],
    ['a surrogate', 'ed a0 80', 1],
    ['F0 with an overlong second', 'f0 8f bf bf', 1],
    ['beyond U+10FFFF', 'f4 90 80 80', 1],
    ['F5', 'f5 80 80 80', 0],
    ['FE', 'fe', 0],
    ['FF', 'ff', 0],
    ['a character cut by another', 'e2 82 41', 2],
    ['after good text', 'ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80', 12],
  ])('%s', (_, bytes, at) => {
    expect(faultAt(hex(bytes))).toBe(at)
  })
})

describe('the borders', () => {
  test.each([
    ['00'],
    ['7f'],
    ['c2 80'],
    ['df bf'],
    ['e0 a0 80'],
    ['ed 9f bf'],
    ['ee 80 80'],
    ['ef bf bd'],
    ['f0 90 80 80'],
    ['f4 8f bf bf'],
  ])('%s', (bytes) => {
    expect(faultAt(hex(bytes))).toBe(-1)
    expect(isText(hex(bytes), [])).toBe(true)
    expect(isText(hex(bytes).subarray(0, -1), [])).toBe(hex(bytes).length === 1)
  })
})

test('any bytes, cut anywhere: as the runtime judges them whole', () => {
  const pieces = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 6 }).map((all) => Buffer.concat(all)),
      fc.array(fc.nat(600), { maxLength: 6 }),
      (bytes, cuts) => {
        const sorted = cuts.filter((cut) => cut <= bytes.length).toSorted((a, b) => a - b)
        expect(isText(bytes, sorted)).toBe(isUtf8(bytes))
      },
    ),
    { numRuns: sizes.propertyRuns },
  )
})

test('a whole text: any, and U+FFFD that was sent', () => {
  for (const text of ['', 'a', 'ä😀', '\uFFFD', '\uFEFFbom', 'x'.repeat(1_000)])
    expect(textOf(Buffer.from(`<${text}>`), 1, Buffer.byteLength(text) + 1)).toBe(text)
  // A view that is no Buffer.
  expect(textOf(Uint8Array.from([0, 0xc3, 0xa4, 0]).subarray(1), 0, 2)).toBe('ä')
  for (const bytes of ['ff', 'c3 28', 'e2 82', 'ed a0 80', 'ef bf bd c0'])
    expect(() => textOf(hex(bytes), 0, hex(bytes).length)).toThrow(
      new WebSocketError(1007, 'text that is not UTF-8'),
    )
})
