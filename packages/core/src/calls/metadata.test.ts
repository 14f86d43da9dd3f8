import { hex, toHex, toMsgpack } from '@callbox/testing/node'
import { describe, expect, test } from 'vitest'
import { resolveLimits, type Limits } from '../base/limits.ts'
import { noMetadata, readMetadata, writeMetadata } from './metadata.ts'
import type { Metadata } from './types.ts'

const limits = resolveLimits()
const small = (changes: Partial<Limits>): Limits => resolveLimits(changes)

const read = (bytes: Uint8Array, by = limits) => readMetadata(bytes, 0, bytes.length, by)
const thrown = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}
const refusal = (code: string, text: string) =>
  expect.objectContaining({ code, processed: 'no', message: expect.stringContaining(text) })

describe('writing', () => {
  test('nothing to say is no map, so that META is not set', () => {
    expect(writeMetadata(undefined, undefined, limits)).toBeUndefined()
    expect(writeMetadata({}, undefined, limits)).toBeUndefined()
    expect(writeMetadata(noMetadata, undefined, limits)).toBeUndefined()
    const loose = { trace: undefined } as unknown as Metadata
    expect(writeMetadata(loose, undefined, limits)).toBeUndefined()
  })

  test('text and bytes, as a msgpack map [case C55]', () => {
    const bytes = writeMetadata({ 'a': 'b', 'x-1': Uint8Array.of(0, 255) }, undefined, limits)!
    expect(toHex(bytes)).toBe('82' + 'a161a162' + 'a3782d31c40200ff')
  })

  test('a cursor stands beside the keys of the user, under a key that no user can take', () => {
    const bytes = writeMetadata({ a: 'b' }, 7, limits)!
    expect(toHex(bytes)).toBe('82' + 'a161a162' + 'a73a637572736f7207')
    expect(thrown(() => writeMetadata({ ':cursor': '7' }, undefined, limits))).toEqual(
      refusal('invalid_argument', 'key'),
    )
  })

  test.each(['', 'Upper', 'under_score', 'dot.ted', 'é', 'a b', 'a\n', '__proto__'])(
    'the key %j is refused, and not repeated in the error',
    (key) => {
      const metadata = JSON.parse(JSON.stringify({ ok: 'x' })) as Record<string, string>
      Object.defineProperty(metadata, key, { value: 'v', enumerable: true })
      const error = thrown(() => writeMetadata(metadata, undefined, limits))
      expect(error).toEqual(
        refusal('invalid_argument', 'a metadata key must match [a-z0-9-]{1,64}'),
      )
    },
  )

  test.each([
    [1],
    [null],
    [true],
    [['a']],
    [{ a: 'b' }],
    [1n],
    [new Date(0)],
    [new Uint16Array(1)],
  ])('the value %s is refused by its key', (value) => {
    const metadata = { 'the-key': value } as unknown as Metadata
    expect(thrown(() => writeMetadata(metadata, undefined, limits))).toEqual(
      refusal('invalid_argument', "metadata 'the-key' is neither text nor bytes"),
    )
  })

  test('64 entries are fine, 65 are not [case C56]', () => {
    const entries = (count: number): Metadata =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']))
    expect(read(writeMetadata(entries(64), 1, limits)!).user).toEqual(entries(64))
    expect(thrown(() => writeMetadata(entries(65), undefined, limits))).toEqual(
      refusal('resource_exhausted', 'maxMetaEntries (64)'),
    )
  })

  test('maxMeta bytes are fine, one more is not [case C56]', () => {
    // Map of one, key of one, text of up to 65,535: 1 + 2 + 3 bytes around it.
    const text = (bytes: number): Metadata => ({ a: 'x'.repeat(bytes - 6) })
    expect(writeMetadata(text(8_192), undefined, limits)).toHaveLength(8_192)
    expect(thrown(() => writeMetadata(text(8_193), undefined, limits))).toEqual(
      refusal('resource_exhausted', 'maxMeta (8192 bytes)'),
    )
  })
})

describe('reading', () => {
  test('what was written', () => {
    const sent = { 'a': 'b', 'x-1': Uint8Array.of(0, 255), 'unicode': '☺ 😈' }
    const bytes = writeMetadata(sent, { page: 2 }, limits)!
    const { user, cursor } = read(bytes)
    expect({ ...user }).toEqual(sent)
    expect(cursor).toEqual({ page: 2 })
  })

  test('is frozen and inherits nothing', () => {
    const { user } = read(writeMetadata({ a: 'b' }, undefined, limits)!)
    expect(Object.isFrozen(user)).toBe(true)
    expect(Object.getPrototypeOf(user)).toBe(null)
    expect('toString' in user).toBe(false)
  })

  test('bytes own their memory: the frame was only borrowed', () => {
    const frame = writeMetadata({ key: Uint8Array.of(1, 2, 3) }, undefined, limits)!
    const { user } = read(frame)
    frame.fill(0xff)
    expect(user['key']).toEqual(Uint8Array.of(1, 2, 3))
  })

  test('of a range in the middle of a buffer', () => {
    const bytes = Buffer.concat([hex('ffff'), toMsgpack({ a: 'b' }), hex('ffff')])
    expect({ ...readMetadata(bytes, 2, bytes.length - 2, limits).user }).toEqual({ a: 'b' })
  })

  test('unknown keys of Callbox, and values that no user could send, are left out', () => {
    const { user, cursor } = read(toMsgpack({ ':later': 1, 'n': 1, 'list': ['x'], 'good': 'yes' }))
    expect({ ...user }).toEqual({ good: 'yes' })
    expect(cursor).toBeUndefined()
  })

  test('a key that no user could send is refused', () => {
    expect(thrown(() => read(toMsgpack({ Upper: 'x' })))).toEqual(
      refusal('invalid_argument', 'metadata has a key that cannot be'),
    )
  })

  test.each([
    ['nothing at all', ''],
    ['a list', '91a161'],
    ['nil', 'c0'],
    ['text', 'a161'],
    ['a map without its value', '81a161'],
    ['bytes behind the map', '80c0'],
    ['a type that msgpack has not', 'c1'],
    ['a key that is a number', '8101a162'],
    ['the same key twice', '82a161a162a161a163'],
  ])('%s is malformed', (_, text) => {
    expect(thrown(() => read(hex(text)))).toEqual(
      refusal('invalid_argument', 'metadata is malformed'),
    )
  })

  test('cut at every byte is malformed, never half read', () => {
    const bytes = toMsgpack({ first: 'value', second: 'other' })
    for (let end = 0; end < bytes.length; end += 1)
      expect(
        thrown(() => readMetadata(bytes, 0, end, limits)),
        `cut at ${end}`,
      ).toEqual(refusal('invalid_argument', 'metadata is malformed'))
  })

  test('over maxMeta is refused before anything is decoded [case C56]', () => {
    const bytes = new Uint8Array(8_193).fill(0xc1)
    expect(thrown(() => read(bytes))).toEqual(refusal('resource_exhausted', 'maxMeta (8192 bytes)'))
    expect(thrown(() => read(bytes.subarray(1)))).toEqual(refusal('invalid_argument', 'malformed'))
  })

  test('more entries than maxMetaEntries are refused, Callbox’s own not counted [case C56]', () => {
    const by = small({ maxMetaEntries: 2 })
    const own = { ':cursor': 1, ':reset': 'gap' }
    expect({ ...read(toMsgpack({ a: '1', b: '2', ...own }), by).user }).toEqual({ a: '1', b: '2' })
    expect(thrown(() => read(toMsgpack({ a: '1', b: '2', c: '3' }), by))).toEqual(
      refusal('resource_exhausted', 'maxMetaEntries (2)'),
    )
    // Entries that are left out still cost their decoding.
    const junk = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`:k${n}`, 1]))
    expect(thrown(() => read(toMsgpack(junk), by))).toEqual(
      refusal('resource_exhausted', 'maxMetaEntries (2)'),
    )
  })
})
