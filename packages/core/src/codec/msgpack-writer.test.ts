import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { sizes } from '../../../../tests/sizes.ts'
import { resolveLimits } from '../base/limits.ts'
import { CodecError } from './codec.ts'
import { msgpackCodec } from './msgpack.ts'
import { decodeValue, encodeValue } from './msgpack-value.ts'
import { ByteSink } from './sink.ts'

const limits = resolveLimits('internet')
const codec = msgpackCodec(limits)
const any = codec.of(undefined)
const decode = (bytes: Uint8Array): unknown => decodeValue(bytes, 0, bytes.length, limits)
const roundTrip = (value: unknown): unknown => decode(encodeValue(value))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Bytes that the codec appends behind `before`. */
function encoded(value: unknown, schema?: object): string {
  const out = new ByteSink()
  out.begin(4)
  codec.of(schema).encode(value, out)
  return toHex(out.buffer.subarray(out.start, out.position))
}

/** How encoding `value` is refused. */
function refusal(value: unknown): CodecError {
  try {
    encodeValue(value)
  } catch (error) {
    if (error instanceof CodecError) return error
    throw error
  }
  throw new Error('was encoded')
}

describe('bytes', () => {
  test.each([
    [null, 'c0'],
    [true, 'c3'],
    [0, '00'],
    [-0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [65_535, 'cdffff'],
    [4_294_967_295, 'ceffffffff'],
    [4_294_967_296, 'cb41f0000000000000'],
    [-1, 'ff'],
    [-33, 'd0df'],
    [-32_769, 'd2ffff7fff'],
    [0.5, 'cb3fe0000000000000'],
    [Number.NaN, 'cb7ff8000000000000'],
    [1n, 'd30000000000000001'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'],
    ['é', 'a2c3a9'],
    [[1, 'a'], '9201a161'],
    [{ a: 1, b: undefined, c: [undefined] }, '82a16101a16391d40000'],
    [new Uint8Array([1, 2]), 'c4020102'],
    [Buffer.from([1, 2]), 'c4020102'],
    [new Date(1_000), 'd6ff00000001'],
    [new Date(1), 'd7ff003d090000000000'],
    [new Date(-1), 'c70cff3b8b87c0ffffffffffffffff'],
  ])('%o is %s', (value, bytes) => {
    expect(encoded(value)).toBe(bytes)
  })

  const values = fc.anything({
    withBigInt: false,
    withDate: true,
    withNullPrototype: false,
    maxDepth: 4,
    values: [
      fc.boolean(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double(),
      fc.constantFrom(
        0,
        31,
        32,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        2 ** 31,
        2 ** 32,
        -32,
        -33,
        -129,
        -32_769,
      ),
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.uint8Array({ maxLength: 300 }),
      fc.constant(null),
    ],
  })

  test('are those of msgpackr', () => {
    const packr = new Packr({
      useRecords: false,
      mapsAsObjects: true,
      variableMapSize: true,
      useToJSON: false,
      moreTypes: false,
    })
    let compared = 0
    fc.assert(
      fc.property(values, (value) => {
        let bytes: Uint8Array
        try {
          bytes = encodeValue(value)
        } catch (error) {
          if (error instanceof CodecError) return
          throw error
        }
        // Undefined properties and -0 are the two intended differences.
        if (toHex(bytes) !== toHex(packr.pack(withoutUndefined(value))))
          throw new Error('other bytes')
        compared += 1
      }),
      { seed: 1, numRuns: sizes.propertyRuns },
    )
    expect(compared).toBeGreaterThan(sizes.propertyRuns / 2)
  })

  test('text of every length around the borders of the headers, in one to four bytes a character', () => {
    const lengths = [
      0, 1, 7, 8, 10, 11, 15, 16, 31, 32, 63, 64, 65, 84, 85, 86, 127, 128, 255, 256, 257,
    ]
    lengths.push(16_383, 16_384, 21_845, 21_846, 32_767, 32_768, 65_535, 65_536, 100_000)
    for (const unit of ['a', 'é', '☺', '😈'])
      for (const length of lengths) {
        const text = unit.repeat(length)
        const [back, after] = roundTrip([text, 1]) as [string, number]
        if (back !== text || after !== 1) expect.fail(`${unit} x ${length}`)
        const size = Buffer.byteLength(text)
        const head = size < 32 ? 1 : size < 256 ? 2 : size < 65_536 ? 3 : 5
        expect(encodeValue(text).length, `${unit} x ${length}`).toBe(head + size)
      }
  })

  test('go behind what the sink holds, wherever that ends', () => {
    const value = { name: 'é'.repeat(40), note: undefined, list: [1, 2.5, 'x'.repeat(300)] }
    const expected = encoded(value)
    const out = new ByteSink()
    for (let round = 0; round < 500; round += 1) {
      out.begin(round % 40)
      out.append(Uint8Array.from([round & 255]))
      any.encode(value, out)
      const got = toHex(out.buffer.subarray(out.start, out.position))
      expect(got).toBe(Buffer.from([round & 255]).toString('hex') + expected)
    }
  })

  test('text whose header turns out longer than that of ASCII, at every distance from the end', () => {
    // 250 characters in 260 bytes, in front of the end of the sink's first buffer.
    const text = 'a'.repeat(240) + 'é'.repeat(10)
    for (let room = 0; room < 300; room += 1) {
      const out = new ByteSink()
      out.begin(0)
      const padding = new Uint8Array(out.buffer.length - room)
      out.append(padding)
      any.encode(text, out)
      const at = out.start + padding.length
      const got = decodeValue(out.buffer, at, out.position, limits)
      if (got !== text) expect.fail(`${room} bytes before the end`)
      expect(out.position - at).toBe(263)
    }
  })

  test('many maps with undefined properties in a sink that grows: each count is at its place', () => {
    const value = Array.from({ length: 5_000 }, (_, id) => ({
      id,
      a: undefined,
      b: { c: undefined },
    }))
    expect(roundTrip(value)).toEqual(value.map(({ id }) => ({ id, b: {} })))
    const wide = Object.fromEntries(
      Array.from({ length: 300 }, (_, key) => [`k${key}`, key < 290 ? undefined : key]),
    )
    expect(Object.keys(roundTrip({ wide, after: 1 }) as object)).toEqual(['wide', 'after'])
    expect(roundTrip(wide)).toEqual(Object.fromEntries(Object.entries(wide).slice(290)))
    expect(encodeValue(Array.from({ length: 70_000 }, () => 1)).length).toBe(70_005)
  })
})

describe('refused when encoding', () => {
  const at = { list: [0, { 'a/b~c': undefined as unknown }] }
  test.each([
    ['a lone surrogate', 'x\uD800y', 'utf8'],
    ['a lone low surrogate', '\uDC00', 'utf8'],
    ['two low surrogates', '\uDC00\uDC00', 'utf8'],
    ['a high surrogate at the end', 'x\uDBFF', 'utf8'],
    ['a lone surrogate in a long text', `${'x'.repeat(100)}\uD800`, 'utf8'],
    ['an own key __proto__', JSON.parse('{"__proto__": 1}'), 'proto'],
    ['Map', new Map([['a', 1]]), 'value'],
    ['Set', new Set([1]), 'value'],
    ['RegExp', /a/, 'value'],
    ['function', () => {}, 'value'],
    ['symbol', Symbol('secret'), 'value'],
    ['Float32Array', new Float32Array(2), 'value'],
    ['Float64Array', new Float64Array(2), 'value'],
    ['Int32Array', new Int32Array(2), 'value'],
    ['Uint16Array', new Uint16Array(2), 'value'],
    ['Int8Array', new Int8Array(2), 'value'],
    ['Uint8ClampedArray', new Uint8ClampedArray(2), 'value'],
    ['BigUint64Array', new BigUint64Array(2), 'value'],
    ['DataView', new DataView(new ArrayBuffer(2)), 'value'],
    ['ArrayBuffer', new ArrayBuffer(2), 'value'],
    ['SharedArrayBuffer', new SharedArrayBuffer(2), 'value'],
    ['invalid Date', new Date(Number.NaN), 'value'],
    ['bigint above 64 bits', 2n ** 64n, 'value'],
    ['bigint below 64 bits', -(2n ** 63n) - 1n, 'value'],
    ['Error', new Error('secret'), 'value'],
    ['Promise', Promise.resolve(1), 'value'],
    ['WeakMap', new WeakMap(), 'value'],
    ['a boxed text', Object('x'), 'value'],
    ['URL', new URL('http://localhost'), 'value'],
    ['a generator', (function* () {})(), 'value'],
    [
      'a class with toJSON',
      new (class {
        toJSON(): number {
          return 1
        }
      })(),
      'value',
    ],
  ])('%s, with its path [case C49] [threat C4] [threat C7]', (_, value, reason) => {
    expect(refusal(value)).toMatchObject({ reason, path: reason === 'proto' ? '/__proto__' : '' })
    at.list[1] = { 'a/b~c': value }
    const inside = refusal(at)
    expect(inside.path).toBe(`/list/1/a~1b~0c${reason === 'proto' ? '/__proto__' : ''}`)
    expect(inside.message).not.toContain('secret')
  })

  test('a key with a lone surrogate', () => {
    expect(refusal({ a: { '\uD800': 1 } })).toMatchObject({ reason: 'utf8', path: '/a/\uD800' })
  })

  test('cycles and depth: 64 containers, not 65; the path stays short', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
    expect(roundTrip(nested(64))).toEqual(nested(64))
    expect(refusal(nested(65))).toMatchObject({ reason: 'depth', path: '/0'.repeat(64) })
    const cycle: Record<string, unknown> = {}
    cycle['a long name of a property'] = cycle
    expect(refusal(cycle).reason).toBe('depth')
    expect(refusal(cycle).path.length).toBe(256)
    const array: unknown[] = []
    array.push(array)
    expect(refusal(array).reason).toBe('depth')
  })

  test('more than maxNodes, also where the same objects stand in many places', () => {
    let graph: unknown = 1
    for (let level = 0; level < 60; level += 1) graph = [graph, graph]
    expect(refusal(graph).reason).toBe('nodes')
    expect(encodeValue(new Array(262_143).fill(0)).length).toBe(5 + 262_143)
    expect(refusal(new Array(262_144).fill(0)).reason).toBe('nodes')
  })

  test('encoding works after each refusal, and a getter may encode by itself', () => {
    expect(refusal([1, () => {}]).path).toBe('/1')
    expect(roundTrip({ a: 1 })).toEqual({ a: 1 })
    const value = {
      first: 'x'.repeat(100),
      get second() {
        return encodeValue({ inner: [1, 2, 3] })
      },
      get third() {
        return refusal(Symbol('x')).reason
      },
    }
    expect(roundTrip(value)).toEqual({
      first: 'x'.repeat(100),
      second: encodeValue({ inner: [1, 2, 3] }),
      third: 'value',
    })
    const failing = {
      get a(): never {
        throw new TypeError('of the user')
      },
    }
    expect(() => encodeValue(failing)).toThrow(TypeError)
    expect(roundTrip([1])).toEqual([1])
  })

  test('limits hold behind a getter that encodes by itself', () => {
    const strict = msgpackCodec({ maxDepth: 2, maxNodes: 8, maxKeys: 8 }).of(undefined)
    const out = new ByteSink()
    const reasonFor = (after: unknown): unknown => {
      out.begin(0)
      const value = {
        get first() {
          return encodeValue([[[1]]]).length
        },
        after,
      }
      try {
        return strict.encode(value, out)
      } catch (error) {
        return (error as CodecError).reason
      }
    }
    expect(reasonFor([1, 2])).toBe(undefined)
    expect(reasonFor([1, 2, 3, 4])).toBe('nodes')
    expect(reasonFor([[1]])).toBe('depth')
  })

  test('a large value leaves no memory behind', async () => {
    const used = async (): Promise<number> => {
      // Buffers are given back some turns after the collection that found them.
      for (let turn = 0; turn < 3; turn += 1) {
        globalThis.gc!()
        await new Promise((resolve) => setImmediate(resolve))
      }
      return process.memoryUsage().arrayBuffers
    }
    encodeValue(1)
    const before = await used()
    const { length } = encodeValue(new Uint8Array(8 * 1024 * 1024))
    expect(length).toBe(8 * 1024 * 1024 + 5)
    expect((await used()) - before).toBeLessThan(1024 * 1024)
  })

  test('never stale memory: every refused view is refused before a byte of it is written [threat C4]', () => {
    const out = new ByteSink()
    out.begin(0)
    const { start } = out
    expect(() => any.encode(new Float64Array(1_000), out)).toThrow(CodecError)
    expect(out.position - start).toBe(0)
  })
})

/** What msgpackr is given to compare with: it writes undefined properties. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, withoutUndefined)
  if (
    typeof value !== 'object' ||
    value === null ||
    ArrayBuffer.isView(value) ||
    value instanceof Date
  )
    return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .map(([key, entry]) => [key, withoutUndefined(entry)]),
  )
}
