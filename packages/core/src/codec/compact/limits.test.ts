// What the compact codec refuses for its size or depth, and how it says where.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { resolveLimits } from '../../base/limits.ts'
import { compact } from '../../compact.ts'
import { compact as compactOfBrowsers } from '../../compact.browser.ts'
import { Bytes, Timestamp } from '../../contract/schemas.ts'
import { CodecError, type SchemaCodec } from '../codec.ts'
import { ByteSink } from '../sink.ts'

const limits = resolveLimits('internet')
const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

function encoded(codec: SchemaCodec, value: unknown): Uint8Array {
  const out = new ByteSink()
  out.begin(3)
  codec.encode(value, out)
  return out.buffer.slice(out.start, out.position)
}

function errorOf(work: () => unknown): CodecError | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof CodecError) return error
    throw error
  }
}

const List = T.Cyclic({ List: T.Object({ next: T.Optional(T.Ref('List')) }) }, 'List')
const Grid = T.Cyclic({ Grid: T.Array(T.Ref('Grid')) }, 'Grid')

function nested(levels: number): object {
  let value: { next?: object } = {}
  for (let level = 1; level < levels; level += 1) value = { next: value }
  return value
}

describe.each([
  ['generated', compact()],
  ['closures', compactOfBrowsers()],
])('%s', (_, choice) => {
  const codec = choice.codec(limits)
  const decode = (schema: object, hex: string): CodecError | undefined => {
    const bytes = fromHex(hex)
    return errorOf(() => codec.of(schema).decode(bytes, 0, bytes.length))
  }

  test('64 containers, and not one more, both ways', () => {
    const one = codec.of(List)
    const bytes = encoded(one, nested(64))
    expect(one.decode(bytes, 0, 64)).toEqual(nested(64))
    expect(errorOf(() => encoded(one, nested(65)))).toMatchObject({
      reason: 'depth',
      limit: 'maxDepth',
    })
    expect(decode(List, `${'01'.repeat(64)}00`)).toMatchObject({ reason: 'depth' })
    expect(decode(Grid, '01'.repeat(100_000))).toMatchObject({ reason: 'depth' })
    const cycle: { next?: object } = {}
    cycle.next = cycle
    expect(errorOf(() => encoded(one, cycle))?.path).toHaveLength(256)
  })

  test('what a schema nests by itself counts as well', () => {
    let schema: T.TSchema = T.Null()
    let value: unknown = null
    for (let level = 0; level < 65; level += 1) {
      schema = T.Array(schema)
      value = [value]
    }
    expect(errorOf(() => encoded(codec.of(schema), value))).toMatchObject({ reason: 'depth' })
    expect(decode(schema, '01'.repeat(65))).toMatchObject({ reason: 'depth' })
  })

  test('depth goes on inside of what travels as msgpack', () => {
    const around = T.Object({ any: T.Unknown() })
    let value: unknown = 1
    for (let level = 0; level < 63; level += 1) value = [value]
    const one = codec.of(around)
    const bytes = encoded(one, { any: value })
    expect(one.decode(bytes, 0, bytes.length)).toEqual({ any: value })
    expect(errorOf(() => encoded(one, { any: [value] }))).toMatchObject({ reason: 'depth' })
    expect(decode(around, `41 ${'91'.repeat(64)}01`)).toMatchObject({ reason: 'depth' })
  })

  test('262,144 nodes, and not one more, where items take no bytes [threat C16]', () => {
    const nothings = T.Array(T.Null())
    const one = codec.of(nothings)
    const most = new Array<null>(262_143).fill(null)
    const bytes = encoded(one, most)
    expect(bytes.length).toBe(3)
    expect(one.decode(bytes, 0, 3)).toEqual(most)
    expect(one.nodes).toBe(262_144)
    expect(errorOf(() => encoded(one, [...most, null]))).toMatchObject({ reason: 'nodes' })
    expect(decode(nothings, '808010')).toMatchObject({ reason: 'nodes', limit: 'maxNodes' })
    // Each claims few; together they are too many.
    expect(decode(T.Array(nothings), `64 ${'ff7f'.repeat(100)}`)).toMatchObject({ reason: 'nodes' })
    const empty = T.Array(T.Object({}))
    expect(decode(empty, 'ffffffffffff0f')).toMatchObject({ reason: 'nodes' })
  })

  test('nodes go on inside of what travels as msgpack', () => {
    const some = choice.codec({ ...limits, maxNodes: 10 }).of(T.Array(T.Unknown()))
    expect(
      errorOf(() =>
        encoded(some, [
          [1, 2, 3],
          [1, 2, 3],
        ]),
      ),
    ).toBeUndefined()
    expect(some.decode(fromHex('02 0493010203 0493010203'), 0, 11)).toHaveLength(2)
    expect(some.nodes).toBe(9)
    expect(errorOf(() => encoded(some, [[1, 2, 3], [1, 2, 3], 1, 2]))).toMatchObject({
      reason: 'nodes',
    })
    const bytes = fromHex('04 0493010203 0493010203 0101 0101')
    expect(errorOf(() => some.decode(bytes, 0, bytes.length))).toMatchObject({ reason: 'nodes' })
  })

  test.each([
    ['text', T.String(), 'feffffffffffff0f'],
    ['binary', Bytes(), 'ffffff7f'],
    ['items', T.Array(T.String()), 'ffff0f 00'],
    ['items by their least size', T.Array(T.Number()), `02 ${'00'.repeat(15)}`],
    ['keys', T.Record(T.String(), T.Integer()), '02 016102'],
    ['msgpack', T.Unknown(), '05 01'],
  ])('a claim of %s beyond the bytes left', (_name, schema, hex) => {
    expect(decode(schema, hex)).toMatchObject({ reason: 'length' })
  })

  test('more keys than maxKeys', () => {
    const few = choice.codec({ ...limits, maxKeys: 2 }).of(T.Record(T.String(), T.Null()))
    expect(encoded(few, { a: null, b: null })).toHaveLength(5)
    expect(errorOf(() => encoded(few, { a: null, b: null, c: null }))).toMatchObject({
      reason: 'key',
    })
    expect(errorOf(() => few.decode(fromHex('03 0161 0162 0163'), 0, 7))).toMatchObject({
      reason: 'key',
      limit: 'maxKeys',
    })
  })

  test('says where, and never what', () => {
    const Player = T.Object({
      name: T.String(),
      games: T.Array(T.Object({ 'a/b~c': T.Record(T.String(), T.Integer()) })),
    })
    const wrong = { name: 'Ada', games: [{ 'a/b~c': {} }, { 'a/b~c': { hunter2: 'secret' } }] }
    const error = errorOf(() => encoded(codec.of(Player), wrong))
    expect(error).toMatchObject({ path: '/games/1/a~1b~0c/hunter2', reason: 'value' })
    expect(error?.message).toBe('must be integer')
    expect(decode(Player, '02 00 01 0161 8000')).toMatchObject({ path: '/games/1/a~1b~0c/a' })
    expect(decode(Player, '00 0180')).toMatchObject({ path: '/name', reason: 'utf8' })
    expect(decode(T.Object({ a: T.Object({ b: T.Null(), c: T.String() }) }), '05')).toMatchObject({
      path: '/a/c',
    })
    const inside = errorOf(() => encoded(codec.of(T.Object({ any: T.Any() })), { any: { f() {} } }))
    expect(inside).toMatchObject({ path: '/any/f' })
  })

  test('reads its range and nothing else', () => {
    const schema = T.Object({ a: T.String(), b: T.Array(T.Integer()), c: T.Number() })
    const value = { a: 'x'.repeat(30), b: [1, 2, 3000], c: 1.5 }
    const one = codec.of(schema)
    const bytes = encoded(one, value)
    const buffer = Buffer.alloc(bytes.length + 20, 0x01)
    buffer.set(bytes, 10)
    expect(one.decode(buffer, 10, 10 + bytes.length)).toEqual(value)
    for (let end = 10; end < 10 + bytes.length; end += 1)
      expect(
        errorOf(() => one.decode(buffer, 10, end)),
        `cut at ${end}`,
      ).toBeDefined()
    expect(errorOf(() => one.decode(buffer, 10, 11 + bytes.length))).toMatchObject({
      reason: 'end',
    })
  })

  test('what decodes owns its memory [case C49]', () => {
    const frame = Buffer.from(fromHex('03 010203'))
    const got = codec.of(Bytes()).decode(frame, 0, 4) as Uint8Array
    frame.fill(0)
    expect([...got]).toEqual([1, 2, 3])
    expect(Object.getPrototypeOf(got)).toBe(Uint8Array.prototype)
    expect(got.buffer.byteLength).toBe(3)
  })

  test('values larger than the slab, of every kind that grows', () => {
    const schema = T.Object({
      texts: T.Array(T.String()),
      numbers: T.Array(T.Number()),
      any: T.Unknown(),
      blob: Bytes(),
      big: T.Array(T.BigInt()),
      last: T.Integer(),
    })
    const value = {
      texts: Array.from({ length: 2_000 }, (_item, index) => 'é'.repeat(index % 90)),
      numbers: Array.from({ length: 5_000 }, (_item, index) => index + 0.5),
      any: { deep: 'z'.repeat(40_000) },
      blob: new Uint8Array(50_000).fill(9),
      big: Array.from({ length: 5_000 }, (_item, index) => BigInt(index) ** 4n),
      last: -1,
    }
    const one = codec.of(schema)
    const bytes = encoded(one, value)
    expect(one.decode(bytes, 0, bytes.length)).toEqual(value)
  })

  test('a getter that encodes in the middle changes nothing; what it throws comes out as it is', () => {
    const schema = T.Object({ a: T.Array(T.Integer()), b: T.Integer(), c: T.String() })
    const one = codec.of(schema)
    const value = {
      a: [1, 2],
      get b() {
        encoded(one, { a: [], b: 5, c: 'inner' })
        return 3
      },
      c: 'outer',
    }
    const bytes = encoded(one, value)
    expect(one.decode(bytes, 0, bytes.length)).toEqual({ a: [1, 2], b: 3, c: 'outer' })
    const failing = {
      a: [],
      get b(): number {
        throw new RangeError('mine')
      },
      c: '',
    }
    expect(() => encoded(one, failing)).toThrow(RangeError)
  })

  test('only own properties stand behind names that every object has', () => {
    const schema = T.Object({ toString: T.Optional(T.String()), a: T.Null() })
    const one = codec.of(schema)
    expect(Buffer.from(encoded(one, { a: null })).toString('hex')).toBe('00')
    const bytes = encoded(one, { a: null, toString: 'x' })
    expect(one.decode(bytes, 0, bytes.length)).toEqual({ a: null, toString: 'x' })
  })

  test('no schema: no bytes, whatever there is', () => {
    const none = codec.of(undefined)
    expect(encoded(none, { ignored: true })).toHaveLength(0)
    expect(none.decode(fromHex(''), 0, 0)).toBeUndefined()
    expect(errorOf(() => none.decode(fromHex('00'), 0, 1))).toMatchObject({ reason: 'end' })
    expect([none.count(fromHex(''), 0, 0), none.count(fromHex('00'), 0, 1)]).toEqual([1, 0])
  })

  test('an argument that was left out is {}', () => {
    const one = codec.of(T.Object({ page: T.Optional(T.Integer()) }))
    const bytes = encoded(one, undefined)
    expect(one.decode(bytes, 0, bytes.length)).toEqual({})
    expect(errorOf(() => encoded(codec.of(T.Array(T.Null())), undefined))).toBeDefined()
  })

  test.each([
    [true, T.Object({ a: T.String(), b: T.Optional(T.Integer({ minimum: 0 })) })],
    [true, T.Array(T.Number(), { maxItems: 3 })],
    [true, T.Object({ a: Bytes({ maxLength: 3 }), b: Timestamp(), c: T.Unknown() })],
    [true, T.Object({}, { additionalProperties: false, title: 'nothing' })],
    [true, List],
    [false, T.String({ maxLength: 3 })],
    [false, T.Integer({ minimum: 1 })],
    [false, T.Object({ a: T.Array(T.Integer(), { minItems: 1 }) })],
    [false, T.Refine(T.String(), () => true)],
    [false, T.Refine(Bytes(), () => true)],
    [false, T.TemplateLiteral('x${string}')],
    [false, T.Object({ a: T.String() }, { additionalProperties: T.String() })],
    [false, T.Record(T.String({ pattern: '^x' }), T.Null())],
    [
      false,
      T.Intersect([T.Object({ a: T.String() }, { additionalProperties: false }), T.Object({})]),
    ],
    [false, T.Never()],
  ])('checked: %s', (checked, schema) => {
    expect(codec.of(schema).checked).toBe(checked)
  })

  test("W1's message takes 56 bytes", () => {
    const Message = T.Object({
      id: T.Integer({ minimum: 0 }),
      name: T.String(),
      tags: T.Array(T.String()),
      pos: T.Object({ x: T.Number(), y: T.Number() }),
    })
    const message = {
      id: 1_234_567,
      name: 'player-abcdef-01',
      tags: ['red', 'captain', 'ranked'],
      pos: { x: 12.5, y: -3.25 },
    }
    expect(encoded(codec.of(Message), message)).toHaveLength(56)
  })
})

test('where code generation is forbidden the codec works all the same', async () => {
  const program = `
    import * as T from 'typebox'
    import { compact } from '@callbox/core/compact'
    import { ByteSink, resolveLimits } from '@callbox/core/internal'
    let forbidden = false
    try { new Function('') } catch { forbidden = true }
    const codec = compact().codec(resolveLimits('internet')).of(T.Object({ a: T.Integer() }))
    const out = new ByteSink()
    out.begin(0)
    codec.encode({ a: 21 }, out)
    console.log(forbidden, out.buffer[out.start], codec.decode(out.buffer, out.start, out.position).a)`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    `--conditions=@callbox/source --disallow-code-generation-from-strings --import tsx --input-type=module --eval`
      .split(' ')
      .concat(program),
    { cwd: fileURLToPath(new URL('../../..', import.meta.url)) },
  )
  expect(stdout.trim()).toBe('true 42 21')
})
