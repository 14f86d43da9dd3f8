// The guard's check of UTF-8, against the strict decoder of the platform.

import { expect, test } from 'vitest'
import { CodecError } from './codec.ts'
import { checkMsgpack } from './guard.ts'

const limits = { maxDepth: 64, maxNodes: 262_144, maxKeys: 32_768 }

/** The reason of the refusal, or 'accepted'. */
function verdict(bytes: Uint8Array): string {
  try {
    checkMsgpack(bytes, 0, bytes.length, limits)
    return 'accepted'
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return error.reason
  }
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

/** What a strict decoder of the platform says. */
const strict = new TextDecoder('utf-8', { fatal: true })
function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes)
    return true
  } catch {
    return false
  }
}
const asText = (bytes: Uint8Array): Uint8Array => {
  const all = new Uint8Array(5 + bytes.length)
  all.set([0xdb, 0, 0, bytes.length >> 8, bytes.length & 255])
  all.set(bytes, 5)
  return all
}

test('agrees with the strict decoder of the platform on every sequence of two bytes', () => {
  let valid = 0
  for (let first = 0; first < 256; first += 1)
    for (let second = 0; second < 256; second += 1) {
      const bytes = Uint8Array.from([first, second])
      const expected = isUtf8(bytes) ? 'accepted' : 'utf8'
      if (expected === 'accepted') valid += 1
      if (verdict(asText(bytes)) !== expected) expect.fail(`${first} ${second} is not ${expected}`)
    }
  // Two of ASCII, or one of two bytes.
  expect(valid).toBe(128 * 128 + 30 * 64)
})

test('agrees with it on every sequence of three and four bytes at the edges of ranges', () => {
  const edges = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
  ]
  edges.push(0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff)
  let valid = 0
  for (const a of edges)
    for (const b of edges)
      for (const c of edges)
        for (const d of a < 0xef ? [undefined] : [undefined, ...edges]) {
          const bytes = Uint8Array.from(d === undefined ? [a, b, c] : [a, b, c, d])
          const expected = isUtf8(bytes) ? 'accepted' : 'utf8'
          if (expected === 'accepted') valid += 1
          if (verdict(asText(bytes)) !== expected) expect.fail(`${bytes.join()} is not ${expected}`)
        }
  expect(valid).toBeGreaterThan(100)
})

test('agrees with it wherever one byte of a long text is not ASCII', () => {
  // Every alignment of the text in its buffer: long texts are looked at in words.
  const room = new Uint8Array(700)
  for (let offset = 0; offset < 8; offset += 1)
    for (const length of [255, 256, 257, 258, 259, 300]) {
      const bytes = room.subarray(offset, offset + 5 + length)
      bytes.set(asText(new Uint8Array(length).fill(0x61)))
      expect(verdict(bytes)).toBe('accepted')
      for (let at = 5; at < bytes.length; at += 1) {
        bytes[at] = 0xff
        if (verdict(bytes) !== 'utf8') expect.fail(`0xff at ${at} of ${length}, offset ${offset}`)
        bytes[at] = 0x61
        if (at + 1 === bytes.length) continue
        bytes.set([0xc3, 0xa9], at)
        if (verdict(bytes) !== 'accepted') expect.fail(`é at ${at} of ${length}, offset ${offset}`)
        bytes.set([0x61, 0x61], at)
      }
    }
})

test('a text cannot borrow bytes from what follows it', () => {
  expect(verdict(hex('92 a1c3 a1a9'))).toBe('utf8')
  expect(verdict(hex('82 a2e282 01 acac'))).toBe('utf8')
})
