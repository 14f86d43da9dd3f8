// Mutated msgpack bodies against the guard and the decoder behind it: the same ones everywhere, by a
// fixed seed. How many: tests/sizes.ts.

import { expect, test } from 'vitest'
import { sizes } from '../../../../tests/sizes.ts'
import { resolveLimits } from '../base/limits.ts'
import { CodecError } from './codec.ts'
import { msgpackCodec } from './msgpack.ts'
import { decodeValue, encodeValue } from './msgpack-value.ts'

const limits = resolveLimits('internet')
const any = msgpackCodec(limits).of(undefined)

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

const samples: readonly Uint8Array[] = [
  {
    id: 7,
    name: 'Ada',
    tags: ['a', 'b'],
    at: new Date(1_700_000_000_123),
    score: 1.5,
    ok: true,
    none: null,
  },
  [1, -1, 300, 70_000, 2 ** 40, -40_000, 2n ** 63n, -5n, Number.NaN, undefined],
  { bytes: new Uint8Array(40).fill(7), list: [new Uint8Array(3), 'é☺😈', 'x'.repeat(40)] },
  Array.from({ length: 20 }, (_, id) => ({ id, [`key${id}`]: { then: id, constructor: 'x' } })),
  Object.fromEntries(Array.from({ length: 30 }, (_, key) => [`k${key}`, key])),
  { text: 'é'.repeat(200), ascii: 'x'.repeat(300), mark: `\uFEFF${'m'.repeat(70)}` },
  {
    dates: [new Date(-1), new Date(8.64e15), new Date(0)],
    deep: [[[[[[[[{ a: [{ b: 1 }] }]]]]]]]],
  },
].map((value) => encodeValue(value))

/** First bytes that decoders trip over, and bytes of extension types. */
const nasty = Buffer.from(
  'c1c7c8c9d4d5d6d7d8dcdddedfc4c5c6d9dadb808f909fa0bfff00627265697073747842',
  'hex',
)

function mutated(random: (below: number) => number): Uint8Array {
  let bytes = Buffer.from(samples[random(samples.length)]!)
  for (let times = 1 + random(4); times > 0; times -= 1) {
    const at = random(bytes.length + 1)
    switch (random(9)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << random(8)
        break
      case 1:
        if (at < bytes.length) bytes[at] = nasty[random(nasty.length)]!
        break
      case 2:
        if (at < bytes.length) bytes[at] = random(256)
        break
      case 3:
        bytes = bytes.subarray(0, at)
        break
      case 4:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          bytes.subarray(Math.min(bytes.length, at + 1 + random(4))),
        ])
        break
      case 5:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          nasty.subarray(random(nasty.length)),
          bytes.subarray(at),
        ])
        break
      case 6: {
        const other = samples[random(samples.length)]!
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length))])
        break
      }
      case 7: {
        // The same again: equal keys, more entries.
        const from = random(bytes.length + 1)
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          bytes.subarray(from, from + random(12)),
          bytes.subarray(at),
        ])
        break
      }
      default:
        bytes = Buffer.concat([Buffer.from([[0x91, 0x92, 0x81, 0xde][random(4)]!]), bytes])
    }
  }
  return bytes
}

/** msgpack read by the book, without a thought for hostile input: what the decoder must agree with. */
class PlainReader {
  private at = 0
  private readonly bytes: Uint8Array
  private readonly view: DataView
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  private take(count: number): Uint8Array {
    this.at += count
    return this.bytes.subarray(this.at - count, this.at)
  }
  private uint(width: number): number {
    return this.take(width).reduce((value, byte) => value * 256 + byte, 0)
  }
  private text(size: number): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(size))
  }
  private array(count: number): unknown[] {
    return Array.from({ length: count }, () => this.read())
  }
  private map(count: number): unknown {
    return Object.fromEntries(Array.from({ length: count }, () => [this.read(), this.read()]))
  }
  private extension(size: number): unknown {
    const type = this.uint(1)
    if (type === 0) return void this.take(size)
    const at = this.at
    this.take(size)
    if (size === 4) return new Date(this.view.getUint32(at) * 1_000)
    if (size === 12)
      return this.date(Number(this.view.getBigInt64(at + 4)), this.view.getUint32(at))
    const both = this.view.getBigUint64(at)
    return this.date(Number(both & 0x3ffffffffn), Number(both >> 34n))
  }
  private date(seconds: number, nanoseconds: number): Date {
    return new Date(seconds * 1_000 + nanoseconds / 1e6)
  }
  read(): unknown {
    const first = this.uint(1)
    if (first < 0x80) return first
    if (first >= 0xe0) return first - 256
    if (first < 0x90) return this.map(first & 15)
    if (first < 0xa0) return this.array(first & 15)
    if (first < 0xc0) return this.text(first & 31)
    const { at } = this
    switch (first) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return Uint8Array.from(this.take(this.uint(2 ** (first - 0xc4))))
      case 0xc7:
        return this.extension(this.uint(1))
      case 0xca:
        this.take(4)
        return this.view.getFloat32(at)
      case 0xcb:
        this.take(8)
        return this.view.getFloat64(at)
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.uint(2 ** (first - 0xcc))
      case 0xcf:
        this.take(8)
        return this.view.getBigUint64(at)
      case 0xd0:
        this.take(1)
        return this.view.getInt8(at)
      case 0xd1:
        this.take(2)
        return this.view.getInt16(at)
      case 0xd2:
        this.take(4)
        return this.view.getInt32(at)
      case 0xd3:
        this.take(8)
        return this.view.getBigInt64(at)
      case 0xd4:
      case 0xd6:
      case 0xd7:
        return this.extension(2 ** (first - 0xd4))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.uint(2 ** (first - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.array(this.uint(2 << (first - 0xdc)))
      case 0xde:
      case 0xdf:
        return this.map(this.uint(2 << (first - 0xde)))
      default:
        throw new Error(`the guard let 0x${first.toString(16)} through`)
    }
  }
}

/** Equal in every detail; `undefined` and absence, -0 and 0 are different. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null)
    return Object.is(a, b)
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Date && b instanceof Date) return Math.abs(a.getTime() - b.getTime()) <= 1
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key)))
  )
}

const refused = Symbol('refused')

function decoded(decode: () => unknown): unknown {
  try {
    return decode()
  } catch (error) {
    if (error instanceof CodecError) return refused
    throw error
  }
}

/** What came of one body. Throws for whatever must not happen. */
function tried(bytes: Uint8Array): 'refused' | 'accepted' {
  const value = decoded(() => decodeValue(bytes, 0, bytes.length, limits))
  // By msgpackr, and without it.
  // No bytes are `undefined` to the codec, and no value to the other.
  if (
    bytes.length > 0 &&
    !same(
      value,
      decoded(() => any.decode(bytes, 0, bytes.length)),
    )
  )
    throw new Error('the two decoders read different things')
  if (value === refused) return 'refused'
  if (!same(value, new PlainReader(bytes).read()))
    throw new Error('the decoder reads something else')
  // What was decoded can be sent on, and arrives as it is.
  const again = encodeValue(value)
  if (!same(decodeValue(again, 0, again.length, limits), cleaned(value)))
    throw new Error('does not round-trip')
  return 'accepted'
}

/** What of a value travels. */
function cleaned(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(cleaned)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array || value instanceof Date) return value
  const sent = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return Object.fromEntries(sent.map(([key, entry]) => [key, cleaned(entry)]))
}

function usedBytes(): number {
  // Twice: the first collection may only find what the second one frees.
  globalThis.gc!()
  globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test(
  `${sizes.fuzzBodies} mutated bodies: nothing but CodecError, values as the bytes say, no memory kept`,
  { timeout: 60_000 + sizes.fuzzBodies },
  () => {
    const random = seeded(0xca11b0c5)
    const first = 10_000
    const counts = { refused: 0, accepted: 0 }
    let before = 0
    for (let index = 0; index < sizes.fuzzBodies; index += 1) {
      if (index === first) before = usedBytes()
      const bytes = mutated(random)
      try {
        counts[tried(bytes)] += 1
      } catch (error) {
        throw new Error(`body ${index}: ${Buffer.from(bytes).toString('hex')}`, { cause: error })
      }
    }
    const grown = usedBytes() - before
    expect(grown, 'bytes kept since the first 10,000').toBeLessThan(2 * 1024 * 1024)
    // Neither all noise nor all harmless.
    expect(counts.refused).toBeGreaterThan(sizes.fuzzBodies * 0.3)
    expect(counts.accepted).toBeGreaterThan(sizes.fuzzBodies * 0.05)
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined)
  },
)

test('20,000 bodies of random bytes', () => {
  const random = seeded(2)
  let accepted = 0
  for (let index = 0; index < 20_000; index += 1) {
    const bytes = Uint8Array.from({ length: random(30) }, () => random(256))
    if (tried(bytes) === 'accepted') accepted += 1
  }
  expect(accepted).toBeGreaterThan(100)
})
