import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { sizes } from '../../../../tests/sizes.ts'
import { resolveLimits } from '../base/limits.ts'
import { CodecError } from './codec.ts'
import { msgpackCodec } from './msgpack.ts'
import { encodeValue } from './msgpack-value.ts'
import { ByteSink } from './sink.ts'

const limits = resolveLimits('internet')
const codec = msgpackCodec(limits)
const any = codec.of(undefined)
const decode = (bytes: Uint8Array): unknown => any.decode(bytes, 0, bytes.length)
const roundTrip = (value: unknown): unknown => decode(encodeValue(value))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** Bytes that the codec appends behind `before`. */
function encoded(value: unknown, schema?: object): string {
  const out = new ByteSink()
  out.begin(4)
  codec.of(schema).encode(value, out)
  return toHex(out.buffer.subarray(out.start, out.position))
}

describe('round trip', () => {
  test('binary arrives as plain Uint8Array with memory of its own [case C49]', () => {
    const sent = {
      small: Buffer.from([1, 2, 3]),
      list: [new Uint8Array(1_000).fill(7)],
      empty: new Uint8Array(),
    }
    const frame = Buffer.concat([Buffer.from([9]), encodeValue(sent), Buffer.from([9])])
    const got = any.decode(frame, 1, frame.length - 1) as typeof sent
    const arrays = [got.small, got.list[0]!, got.empty]
    frame.fill(0)
    for (const array of arrays) {
      expect(Object.getPrototypeOf(array)).toBe(Uint8Array.prototype)
      expect([array.byteOffset, array.buffer.byteLength]).toEqual([0, array.length])
    }
    expect(arrays.map((array) => [array.length, array[0]])).toEqual([
      [3, 1],
      [1_000, 7],
      [0, undefined],
    ])
    const alone = decode(encodeValue(new Uint8Array([5])))
    expect(alone).toEqual(new Uint8Array([5]))
  })

  test('text shares no memory either', () => {
    const frame = encodeValue(['abc', 'é'.repeat(100)])
    const got = decode(frame)
    frame.fill(0x41)
    expect(got).toEqual(['abc', 'é'.repeat(100)])
  })

  test('timestamps, to the millisecond, over all that a Date holds [case C49]', () => {
    for (const ms of [
      0,
      1,
      999,
      1_000,
      -1,
      -999,
      -1_000,
      -1_001,
      8.64e15,
      -8.64e15,
      2 ** 32 * 1_000,
      1.7e12 + 123,
    ])
      expect(roundTrip(new Date(ms)), `${ms}`).toEqual(new Date(ms))
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        const got = roundTrip({ date }) as { date: Date }
        return got.date instanceof Date && got.date.getTime() === date.getTime()
      }),
      { seed: 2, numRuns: sizes.propertyRuns },
    )
  })

  test('bigint up to 64 bits, small ones too [case C49]', () => {
    for (const value of [
      0n,
      1n,
      -1n,
      2n ** 53n,
      2n ** 53n + 1n,
      2n ** 63n - 1n,
      2n ** 63n,
      2n ** 64n - 1n,
      -(2n ** 63n),
    ])
      expect(roundTrip(value)).toBe(value)
    expect(decode(fromHex('cf 0020000000000001'))).toBe(9_007_199_254_740_993n)
  })

  test('NaN and infinities pass: the schema decides [case C49]', () => {
    expect(roundTrip([Number.NaN, Infinity, -Infinity, -0])).toEqual([
      Number.NaN,
      Infinity,
      -Infinity,
      0,
    ])
  })

  test('an undefined property is dropped, an undefined item stays [case C49]', () => {
    const got = roundTrip({ a: undefined, b: [undefined, 1], c: { d: undefined } })
    expect(got).toStrictEqual({ b: [undefined, 1], c: {} })
    expect(Object.keys(got as object)).toEqual(['b', 'c'])
    // A hole.
    expect(roundTrip(Object.assign(new Array(2), { 1: 1 }))).toStrictEqual([undefined, 1])
  })

  test('a message of undefined has no bytes; none are undefined, or {} for an object schema [case C29]', () => {
    expect(encoded(undefined)).toBe('')
    const none = new Uint8Array()
    expect(any.decode(none, 0, 0)).toBe(undefined)
    expect(codec.of(T.String()).decode(none, 0, 0)).toBe(undefined)
    expect(codec.of(T.Object({ a: T.Optional(T.String()) })).decode(none, 0, 0)).toEqual({})
    expect(codec.of(T.Array(T.String())).decode(none, 0, 0)).toBe(undefined)
    const [first, second] = [
      codec.of(T.Object({})).decode(none, 0, 0),
      codec.of(T.Object({})).decode(none, 0, 0),
    ]
    expect(first).not.toBe(second)
    expect([codec.name, any.checked]).toEqual(['msgpack', false])
  })

  test('keys that mean something to JavaScript arrive as they were sent [threat C11]', () => {
    const keys = [
      'then',
      'constructor',
      'toJSON',
      'valueOf',
      'toString',
      'hasOwnProperty',
      'prototype',
      'length',
    ]
    const inner = fc.constantFrom<unknown>(
      1,
      'x',
      null,
      {},
      [],
      { then: 1 },
      { constructor: { name: 'Map' } },
    )
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), inner), (value) => {
        // Not by `toStrictEqual`, which asks for `constructor` itself.
        expect(keysAndValues(roundTrip(value))).toStrictEqual(keysAndValues({ ...value }))
      }),
      { seed: 3, numRuns: sizes.propertyRuns },
    )
    expect(roundTrip({ then: 1 })).toStrictEqual({ then: 1 })
    expect(roundTrip({ then: {} })).toStrictEqual({ then: {} })
  })

  test('a byte order mark in front of a text stays, whatever decodes it', () => {
    for (const length of [
      0, 10, 61, 62, 63, 64, 65, 100, 252, 253, 254, 255, 300, 65_533, 70_000,
    ]) {
      const text = `\uFEFF${'x'.repeat(length)}`
      const value = {
        before: 1,
        [text]: [text, `\uFEFF${text}`, `x${text}`],
        after: { text, end: 2 },
      }
      expect(roundTrip(value), `${length}`).toStrictEqual(value)
    }
    // The characters that stand in for it meanwhile are taken; with all of them it is refused.
    const marked = `\uFEFF${'x'.repeat(100)}`
    const standIns = (count: number): string[] =>
      Array.from({ length: count }, (_, offset) => String.fromCharCode(0xe000 + offset).repeat(30))
    expect(roundTrip([marked, ...standIns(4_095)])).toStrictEqual([marked, ...standIns(4_095)])
    expect(() => roundTrip([marked, ...standIns(4_096)])).toThrow(
      expect.objectContaining({ reason: 'utf8' }),
    )
    expect(roundTrip(standIns(4_096))).toStrictEqual(standIns(4_096))
  })

  test('plain values of any kind', () => {
    const json = fc.jsonValue({ depthSize: 'medium', noUnicodeString: false } as never)
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value)
        if (text.includes('__proto__')) return
        expect(JSON.stringify(roundTrip(value))).toBe(text)
      }),
      { seed: 4, numRuns: sizes.propertyRuns },
    )
  })

  test('objects of a class, without a prototype, frozen, or of another realm: their own properties', async () => {
    class Point {
      x = 1
      y = 2
      get sum(): number {
        return this.x + this.y
      }
    }
    expect(roundTrip(new Point())).toStrictEqual({ x: 1, y: 2 })
    expect(
      roundTrip(Object.assign(Object.create(null) as object, { a: 1, toJSON: 2 })),
    ).toStrictEqual({ a: 1, toJSON: 2 })
    expect(roundTrip(Object.freeze({ a: Object.freeze([1]) }))).toStrictEqual({ a: [1] })
    expect(roundTrip(Object.create({ inherited: 1 }))).toStrictEqual({})
    const vm = await import('node:vm')
    expect(roundTrip(vm.runInNewContext('({ a: [1, { b: 2 }] })'))).toStrictEqual({
      a: [1, { b: 2 }],
    })
  })
})

describe('decoding', () => {
  test('what msgpackr would do without the guard, it does not do here [threat C2] [threat C3] [threat C4] [threat C5]', () => {
    const bare = new Unpackr({ useRecords: false, mapsAsObjects: true })
    const bytes = fromHex('d4 72 40 91 a1 78 05')
    expect(bare.unpack(bytes)).toEqual({ x: 5 })
    for (const text of [
      'd4 72 40 91 a1 78 05',
      'd669 00000000 91 d670 00000000',
      'd4 78 00 92 a6 28612b292b24 a0',
      'd4 65 00 93 a0 a0 c0',
      'd4 73 00 90',
      'c1',
    ])
      expect(() => decode(fromHex(text)), `${text}`).toThrow(CodecError)
  })

  test('equal keys are refused in maps of any size [threat C10]', () => {
    for (const keys of [2, 15, 16, 17, 100, 1_000, 30_000])
      for (const [first, second] of [
        [0, 1],
        [0, keys - 1],
        [keys >> 1, keys - 1],
      ] as const) {
        if (first === second) continue
        const value = Object.fromEntries(
          Array.from({ length: keys }, (_, key) => [`key${key + 100_000}`, { a: key }]),
        )
        const bytes = Buffer.from(encodeValue([value]))
        expect(decode(bytes)).toEqual([value])
        const name = (index: number): Buffer => Buffer.from(`key${index + 100_000}`)
        name(first).copy(bytes, bytes.indexOf(name(second)))
        expect(() => decode(bytes), `${keys} keys`).toThrow(
          expect.objectContaining({ reason: 'dup' }),
        )
      }
  })

  test('a map that many equal keys are packed in is refused in linear time [threat C10]', () => {
    const keys = 32_768
    const key = Buffer.concat([Buffer.from([0xd9, 100]), Buffer.alloc(100, 'k'), Buffer.from([0])])
    const bytes = Buffer.concat([
      Buffer.from([0xde, keys >> 8, keys & 255]),
      ...new Array<Buffer>(keys).fill(key),
    ])
    const start = performance.now()
    expect(() => decode(bytes)).toThrow(expect.objectContaining({ reason: 'dup' }))
    expect(performance.now() - start).toBeLessThan(500)
  })

  test('__proto__ changes nothing [threat C7]', () => {
    expect(() => decode(fromHex('81 a9 5f5f70726f746f5f5f 81 a1 78 01'))).toThrow(CodecError)
    expect(({} as { x?: unknown }).x).toBe(undefined)
    expect(decode(encodeValue({ __prefix1: 1 }))).toEqual({ __prefix1: 1 })
  })

  test('reads its range and nothing else, at every offset of a shared buffer', () => {
    const value = { id: 7, name: 'Ada', tags: ['a', 'é'.repeat(50)], at: new Date(5), big: 5n }
    const bytes = encodeValue(value)
    for (let offset = 0; offset < 16; offset += 1) {
      const buffer = Buffer.alloc(offset + bytes.length + 16, 0xc1)
      buffer.set(bytes, offset)
      expect(any.decode(buffer, offset, offset + bytes.length)).toEqual(value)
      const plain = new Uint8Array(buffer)
      expect(any.decode(plain, offset, offset + bytes.length)).toEqual(value)
      for (let end = offset + 1; end < offset + bytes.length; end += 1)
        expect(() => any.decode(buffer, offset, end)).toThrow(CodecError)
    }
  })

  test('no error quotes the payload or msgpackr [threat C9]', () => {
    const secret = encodeValue({ password: 'hunter2' })
    for (let at = 0; at < secret.length; at += 1)
      for (const byte of [0xc1, 0x00, 0xff, 0xdf, 0xd4]) {
        const bytes = Uint8Array.from(secret)
        bytes[at] = byte
        try {
          decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError)
          expect(`${String(error)} ${JSON.stringify(error)}`).not.toMatch(/hunter|passw/)
        }
      }
  })

  test('limits are those of the codec', () => {
    const strict = msgpackCodec({ maxDepth: 2, maxNodes: 5, maxKeys: 2 }).of(undefined)
    const refusedFor = (value: unknown): unknown => {
      const bytes = encodeValue(value)
      try {
        return strict.decode(bytes, 0, bytes.length)
      } catch (error) {
        return (error as CodecError).reason
      }
    }
    expect(refusedFor([[1]])).toEqual([[1]])
    expect(refusedFor([[[1]]])).toBe('depth')
    expect(refusedFor([1, 2, 3, 4, 5])).toBe('nodes')
    expect(refusedFor({ a: 1, b: 2 })).toEqual({ a: 1, b: 2 })
    expect(refusedFor({ a: 1, b: 2, c: 3 })).toBe('key')
    const out = new ByteSink()
    out.begin(0)
    expect(() => strict.encode([[[1]]], out)).toThrow(expect.objectContaining({ reason: 'depth' }))
  })
})

/** Own keys and values of plain objects, as arrays. */
function keysAndValues(value: unknown): unknown {
  if (Array.isArray(value)) return ['array', ...value.map(keysAndValues)]
  if (typeof value !== 'object' || value === null) return value
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  return Object.entries(value).map(([key, entry]) => [key, keysAndValues(entry)])
}
