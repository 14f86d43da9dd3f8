import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { resolveLimits } from '../../base/limits.ts'
import { compact } from '../../compact.ts'
import { compact as compactOfBrowsers } from '../../compact.browser.ts'
import { Bytes, Timestamp } from '../../contract/schemas.ts'
import { CodecError, type SchemaCodec } from '../codec.ts'
import { ByteSink } from '../sink.ts'

const limits = resolveLimits('internet')
/** As generated code, and as closures. */
const builds = [compact(), compactOfBrowsers()].map((choice) => choice.codec(limits))

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

function encoded(codec: SchemaCodec, value: unknown): Uint8Array {
  const out = new ByteSink()
  out.begin(3)
  codec.encode(value, out)
  return out.buffer.slice(out.start, out.position)
}

function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof CodecError) return `${error.path} ${error.reason}`
    throw error
  }
  return 'not refused'
}

const Node = T.Cyclic(
  { Node: T.Object({ value: T.Integer(), next: T.Optional(T.Ref('Node')) }) },
  'Node',
)
const Shape = T.Union([
  T.Object({ kind: T.Literal('circle'), r: T.Number() }),
  T.Object({ kind: T.Literal('square'), side: T.Number() }),
])

interface Golden {
  readonly name: string
  readonly schema: object
  /** Values and their bytes. */
  readonly values: readonly (readonly [value: unknown, hex: string])[]
  readonly refusedValues?: readonly unknown[]
  readonly refusedBytes?: readonly string[]
}

const rows: readonly Golden[] = [
  {
    name: 'Object: bits, then values by sorted name',
    schema: T.Object({
      on: T.Boolean(),
      maybe: T.Optional(T.Boolean()),
      b: T.String(),
      a: T.Optional(T.Integer()),
    }),
    values: [
      // a present 1, maybe present 2, maybe value 4, on 8
      [{ on: true, b: 'x' }, '08 0178'],
      [{ on: false, maybe: false, b: '', a: 1 }, '03 02 00'],
      [{ on: true, maybe: true, b: 'é', a: -1 }, '0f 01 02c3a9'],
    ],
    refusedValues: [
      { b: 'x' },
      { on: 1, b: 'x' },
      { on: true },
      { on: true, b: 'x', maybe: 'no' },
      [],
      null,
      new Map(),
    ],
    // An absent boolean's value, a bit that nobody has, cut short, one byte more.
    refusedBytes: ['04 00', '10 00', '08', '', '08 0178 00', '01 00'],
  },
  {
    name: 'Object: nine booleans take two bytes',
    schema: T.Object(
      Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`b${index}`, T.Boolean()])),
    ),
    values: [
      [
        Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`b${index}`, index % 8 === 0])),
        '0101',
      ],
    ],
    refusedBytes: ['0102', '01'],
  },
  {
    name: 'Object without properties',
    schema: T.Object({}),
    values: [[{}, '']],
    refusedBytes: ['00'],
  },
  {
    name: 'String',
    schema: T.String(),
    values: [
      ['', '00'],
      ['Ada', '03416461'],
      ['\uFEFF😀', '07efbbbff09f9880'],
      ['x'.repeat(200), `c801${'78'.repeat(200)}`],
      ['é'.repeat(64), `8001${'c3a9'.repeat(64)}`],
    ],
    refusedValues: ['\ud800', `${'x'.repeat(100)}\udfff`, 5, undefined, null],
    refusedBytes: ['0180', '02c0af', '03eda080', '0541', '8000', '8100', 'ffffffffffffffff7f', ''],
  },
  {
    name: 'Integer, signed',
    schema: T.Integer(),
    values: [
      [0, '00'],
      [-1, '01'],
      [1, '02'],
      [63, '7e'],
      [-64, '7f'],
      [64, '8001'],
      [2 ** 30, '8080808008'],
      [-(2 ** 30), 'ffffffff07'],
      [2 ** 53 - 1, 'feffffffffffff1f'],
      [1 - 2 ** 53, 'fdffffffffffff1f'],
    ],
    refusedValues: [1.5, 2 ** 53, -(2 ** 53), Number.NaN, '1', 1n],
    refusedBytes: [
      '8000',
      '808080808000',
      'ffffffffffffff1f',
      'feffffffffffff3f',
      '80',
      'ffffffffffffffffff01',
    ],
  },
  {
    name: 'Integer with minimum >= 0',
    schema: T.Integer({ minimum: 0 }),
    values: [
      [0, '00'],
      [-0, '00'],
      [127, '7f'],
      [128, '8001'],
      [1_234_567, '87ad4b'],
      [2 ** 53 - 1, 'ffffffffffffff0f'],
    ],
    refusedValues: [-1, 0.5, 2 ** 53],
    refusedBytes: ['8000', 'ffffffffffffff1f', '8080808080808010', '80808080808080808001'],
  },
  {
    name: 'Number',
    schema: T.Number(),
    values: [
      [1.5, '000000000000f83f'],
      [0, '0000000000000000'],
      [-0, '0000000000000000'],
      [-2, '00000000000000c0'],
    ],
    refusedValues: [Number.NaN, Infinity, '1', 1n],
    refusedBytes: ['0000000000000080', '000000000000f87f', '000000000000f07f', '000000000000f8'],
  },
  {
    name: 'BigInt',
    schema: T.BigInt(),
    values: [
      [0n, '00'],
      [-1n, '01'],
      [5n, '0a'],
      [-(2n ** 63n), 'ffffffffffffffffff01'],
      [2n ** 64n - 1n, 'feffffffffffffffff03'],
    ],
    refusedValues: [2n ** 64n, -(2n ** 63n) - 1n, 5],
    refusedBytes: [
      '8000',
      '80808080808080808004',
      'ffffffffffffffffff03',
      '8080808080808080808001',
      '80',
    ],
  },
  {
    name: 'Boolean outside of an object',
    schema: T.Array(T.Boolean()),
    values: [[[true, false], '020100']],
    refusedValues: [[0]],
    refusedBytes: ['0102', '01'],
  },
  {
    name: 'Null',
    schema: T.Null(),
    values: [[null, '']],
    refusedValues: [undefined, 0],
    refusedBytes: ['00'],
  },
  { name: 'Undefined', schema: T.Undefined(), values: [[undefined, '']], refusedValues: [null] },
  { name: 'Void', schema: T.Void(), values: [[undefined, '']], refusedValues: [null] },
  {
    name: 'Literal',
    schema: T.Literal('a'),
    values: [['a', '']],
    refusedValues: ['b'],
    refusedBytes: ['00'],
  },
  { name: 'Literal, bigint', schema: T.Literal(5n), values: [[5n, '']], refusedValues: [5] },
  {
    name: 'Enum; of equal constants the first',
    schema: T.Enum(['a', 'b', 3, 'a']),
    values: [
      ['a', '00'],
      ['b', '01'],
      [3, '02'],
    ],
    refusedValues: ['c', '3', undefined, null],
    refusedBytes: ['03', '04', '8000'],
  },
  {
    name: 'union of literals',
    schema: T.Union([T.Literal('up'), T.Literal('down'), T.Null()]),
    values: [
      ['down', '01'],
      [null, '02'],
    ],
    refusedValues: ['left'],
    refusedBytes: ['03'],
  },
  {
    name: 'Union, by class',
    schema: T.Union([
      T.String(),
      T.Integer(),
      T.Null(),
      T.Array(T.Integer()),
      Bytes(),
      Timestamp(),
    ]),
    values: [
      ['a', '000161'],
      [1, '0102'],
      [null, '02'],
      [[1], '030102'],
      [Uint8Array.of(9), '040109'],
      [new Date(1), '0502'],
    ],
    refusedValues: [true, {}, undefined, 1.5],
    refusedBytes: ['06', '8000', ''],
  },
  {
    name: 'Union, by a literal',
    schema: Shape,
    values: [
      [{ kind: 'square', side: 1.5 }, '01000000000000f83f'],
      [{ kind: 'circle', r: 0 }, '000000000000000000'],
    ],
    refusedValues: [{ kind: 'cube' }, { kind: 'circle' }, { side: 1 }, 'circle'],
    refusedBytes: ['02', '01'],
  },
  {
    name: 'Union whose branches overlap: the one that leaves least behind, of equals the first',
    schema: T.Union([
      T.Object({ a: T.Integer() }),
      T.Object({ a: T.Integer(), b: T.Integer() }),
      T.Object({ a: T.Integer(), c: T.Optional(T.Integer()) }),
    ]),
    values: [
      [{ a: 1 }, '0002'],
      [{ a: 1, b: 2 }, '010204'],
      [{ a: 1, c: 2 }, '02010204'],
    ],
    // As the third branch, {a: 1} would be the first.
    refusedBytes: ['020002'],
  },
  {
    name: 'Array',
    schema: T.Array(T.Integer(), { maxItems: 3 }),
    values: [
      [[], '00'],
      [[1, -1], '020201'],
    ],
    refusedValues: [[1, 2, 3, 4], {}, [undefined], 'ab'],
    refusedBytes: ['0402020202', '0302', '01', '8000'],
  },
  {
    name: 'Tuple',
    schema: T.Tuple([T.String(), T.Boolean(), T.Null()]),
    values: [[['a', true, null], '016101']],
    refusedValues: [['a', true], ['a', true, null, 1], {}],
    refusedBytes: ['0161', '016102'],
  },
  {
    name: 'Record: keys rise by UTF-16 code units',
    schema: T.Record(T.String(), T.Integer()),
    values: [
      [{}, '00'],
      [{ b: 1, a: 2, gone: undefined }, '02 016104 016202'],
      // U+1F600 is d83d de00 in UTF-16 and so comes before U+FF5E, which it follows in UTF-8.
      [{ '\uFF5E': 0, '😀': 1 }, '02 04f09f988002 03efbd9e00'],
    ],
    refusedValues: [{ a: 'x' }, [], JSON.parse('{"__proto__":1}'), { '\ud800': 1 }],
    refusedBytes: [
      '02 016202 016104',
      '02 016102 016102',
      '01 095f5f70726f746f5f5f 02',
      '03 016102',
      '01 0161',
    ],
  },
  {
    name: 'Bytes',
    schema: Bytes({ maxLength: 3 }),
    values: [
      [new Uint8Array(), '00'],
      [Uint8Array.of(1, 2), '020102'],
    ],
    refusedValues: [new Uint8Array(4), [1], new Float32Array(1), 'a'],
    refusedBytes: ['0401020304', '0301', '8000'],
  },
  {
    name: 'Timestamp',
    schema: Timestamp(),
    values: [
      [new Date(0), '00'],
      [new Date(-1), '01'],
      [new Date(1_700_000_000_123), 'f6a1abfef962'],
      [new Date(8.64e15), '8080e0ad9882d91e'],
    ],
    refusedValues: [new Date(Number.NaN), 0, '2020'],
    refusedBytes: ['8280e0ad9882d91e', '8000'],
  },
  {
    name: 'Cyclic',
    schema: Node,
    values: [
      [{ value: 1 }, '0002'],
      [{ value: 1, next: { value: 2 } }, '01000402'],
    ],
    refusedValues: [{ value: 1, next: {} }],
    refusedBytes: ['01', '0202'],
  },
  {
    name: 'Unknown: guarded msgpack',
    schema: T.Object({ any: T.Unknown(), maybe: T.Optional(T.Any()) }),
    values: [
      [{ any: { a: 1 } }, '00 0481a16101'],
      [{ any: null, maybe: 'é' }, '01 01c0 03a2c3a9'],
      [{ any: 'x'.repeat(200) }, `00 ca01 d9c8${'78'.repeat(200)}`],
    ],
    refusedValues: [{ any: () => 1 }, { any: new Map() }],
    refusedBytes: ['00 00', '00 01c1', '00 02c000', '01 01c0 03d40000', '00 05c0'],
  },
  {
    name: 'Intersect of objects: one object',
    schema: T.Intersect([T.Object({ b: T.Integer() }), T.Object({ a: T.String() })]),
    values: [[{ a: 'x', b: 1 }, '017802']],
    refusedValues: [{ a: 'x' }],
  },
  {
    name: 'Intersect of anything else: guarded msgpack',
    schema: T.Intersect([T.Record(T.String(), T.Unknown()), T.Object({ a: T.Integer() })]),
    values: [[{ a: 1, b: 2 }, '0782a16101a16202']],
  },
  {
    name: 'a brand is encoded by its kind',
    schema: T.Unsafe(T.String()),
    values: [['Ada', '03416461']],
    refusedValues: [5],
  },
  {
    name: 'Object with additional properties: guarded msgpack',
    schema: T.Object({ a: T.Integer() }, { additionalProperties: T.String() }),
    values: [[{ a: 1, b: 'c' }, '0882a16101a162a163']],
  },
]

describe.each([
  ['generated', builds[0]!],
  ['closures', builds[1]!],
])('%s', (_, codec) => {
  test.each(rows.map((row) => [row.name, row] as const))('%s', (_name, row) => {
    const one = codec.of(row.schema)
    for (const [value, hex] of row.values) {
      const bytes = encoded(one, value)
      expect(toHex(bytes)).toBe(hex.replaceAll(' ', ''))
      const decoded = one.decode(bytes, 0, bytes.length)
      expect(decoded).toEqual(Object.is(value, -0) ? 0 : value)
      expect(toHex(encoded(one, decoded))).toBe(toHex(bytes))
    }
    for (const value of row.refusedValues ?? [])
      expect(refusalOf(() => encoded(one, value))).not.toBe('not refused')
    for (const hex of row.refusedBytes ?? []) {
      const bytes = fromHex(hex)
      const what = refusalOf(() => one.decode(bytes, 0, bytes.length))
      expect(`${hex}: ${what}`).not.toBe(`${hex}: not refused`)
    }
  })

  test('a part that stands in many places, and one too large to stand in another', () => {
    const Room = T.Object({ id: T.Integer(), seats: T.Array(T.Tuple([T.String(), T.Boolean()])) })
    const names = Array.from({ length: 120 }, (_item, index) => `field${index}`)
    const Wide = T.Object(Object.fromEntries(names.map((name) => [name, T.Optional(T.Number())])))
    const House = T.Object({
      hall: Room,
      rooms: T.Array(Room),
      byName: T.Record(T.String(), Room),
      wide: Wide,
      either: T.Union([Room, T.Array(Wide), T.Null()]),
    })
    const room = { id: 1, seats: [['a', true]] }
    const wide = Object.fromEntries(
      names.filter((_, index) => index % 3 === 0).map((name, index) => [name, index / 4]),
    )
    for (const either of [room, [wide, {}], null]) {
      const house = { hall: room, rooms: [room, room], byName: { b: room, a: room }, wide, either }
      const bytes = encoded(codec.of(House), house)
      expect(codec.of(House).decode(bytes, 0, bytes.length)).toEqual(house)
      expect(toHex(bytes)).toBe(toHex(encoded(builds[0]!.of(House), house)))
    }
  })

  test('names of properties are never code', () => {
    const names = [
      '"',
      "'",
      '\\',
      '`${process.exit()}`',
      '\n',
      '\u2028',
      '*/',
      '//',
      '});',
      'ROOM0_',
      '0',
      ' ',
    ]
    const schema = T.Object({
      ...Object.fromEntries(names.map((name) => [name, T.String()])),
      ...Object.fromEntries(names.map((name) => [`?${name}`, T.Optional(T.Boolean())])),
      literal: T.Literal('"); process.exit(); ("'),
    })
    const value = {
      ...Object.fromEntries(names.map((name) => [name, name])),
      ...Object.fromEntries(names.map((name) => [`?${name}`, true])),
      literal: '"); process.exit(); ("',
    }
    const bytes = encoded(codec.of(schema), value)
    expect(codec.of(schema).decode(bytes, 0, bytes.length)).toEqual(value)
  })
})

test('a value that fits no branch is refused, not looked into', () => {
  const pair = T.Tuple([T.Object({ a: T.String() })])
  const schema = T.Union([T.Union([pair, T.String()]), T.Union([T.Array(T.Integer()), T.Null()])])
  for (const build of builds)
    for (const value of [[{}], [undefined], [[]], ['text']])
      expect(refusalOf(() => encoded(build.of(schema), value))).not.toBe('not refused')
  // The property that found it: an empty list for the list of one.
  const found = T.Union([T.Union([pair, T.String()]), T.String()])
  for (const build of builds)
    expect(refusalOf(() => encoded(build.of(found), []))).not.toBe('not refused')
})
