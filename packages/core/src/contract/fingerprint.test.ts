import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { contract, type AnyContract } from './contract.ts'
import { contractHash, fnv1a64, methodHash } from './fingerprint.ts'
import { bidi, clientStream, event, serverStream, unary } from './kinds.ts'
import { Bytes, Timestamp } from './schemas.ts'

/** FNV-1a from its definition, with BigInt and the platform's own UTF-8. */
function fnvByDefinition(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(text)) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  }
  return hash.toString(16).padStart(16, '0')
}

describe('FNV-1a, 64 bits', () => {
  // Vectors of draft-eastlake-fnv, appendix C.
  test.each([
    ['', 'cbf29ce484222325'],
    ['a', 'af63dc4c8601ec8c'],
    ['b', 'af63df4c8601f1a5'],
    ['fo', '08985907b541d342'],
    ['foobar', '85944171f73967e8'],
  ])('%j', (text, hash) => {
    expect(fnv1a64(text)).toBe(hash)
  })

  test.each(['é', '\u07FF\u0800', '\uFFFF', '\u{1F600}\u{10FFFF}', 'ab'.repeat(5_000)])(
    'over UTF-8 %#',
    (text) => {
      expect(fnv1a64(text)).toBe(fnvByDefinition(text))
    },
  )
})

describe('what is hashed', () => {
  test('canonical JSON, written out by hand', () => {
    const made = contract(
      'lobby',
      {
        list: unary({ output: T.Array(T.String()), idempotent: true, timeoutMs: 5 }),
        create: unary({
          input: T.Object({ title: T.String({ maxLength: 40, title: 'Title' }) }),
          errors: { Taken: T.Object({}) },
        }),
        rooms: { watch: serverStream({ output: T.Literal(-0.5), resumable: T.Integer() }) },
      },
      { client: { notice: event({ input: T.Null() }) } },
    )
    const notice = '{"input":{"type":"null"},"kind":"event"}'
    const create =
      '{"errors":{"Taken":{"properties":{},"type":"object"}},' +
      '"input":{"properties":{"title":{"maxLength":40,"type":"string"}},' +
      '"required":["title"],"type":"object"},"kind":"unary"}'
    const list = '{"kind":"unary","output":{"items":{"type":"string"},"type":"array"}}'
    const watch = '{"kind":"serverStream","output":{"const":-0.5,"type":"number"}}'
    const json =
      `{"client":{"notice":${notice}},` +
      `"methods":{"create":${create},"list":${list},"rooms.watch":${watch}},"name":"lobby"}`
    expect(contractHash(made)).toBe(fnvByDefinition(json))
    expect(methodHash(made.create)).toBe(fnvByDefinition(create))
    expect(methodHash(made.rooms.watch)).toBe(fnvByDefinition(watch))
    expect(methodHash(made.client.notice)).toBe(fnvByDefinition(notice))
  })

  const hashOf = (schema: T.TSchema): string => methodHash(unary({ input: schema }))

  test('annotations are no part of it [case C24]', () => {
    const annotations = {
      title: 'a',
      description: 'b',
      examples: ['c'],
      default: 'd',
      deprecated: true,
      readOnly: true,
      writeOnly: true,
      $comment: 'e',
    }
    const plain = T.Object({ a: T.String(), b: T.Array(T.Union([T.Null(), T.Integer()])) })
    const annotated = T.Object(
      {
        a: T.String(annotations),
        b: T.Array(T.Union([T.Null(annotations), T.Integer(annotations)]), annotations),
      },
      annotations,
    )
    expect(hashOf(annotated)).toBe(hashOf(plain))
  })

  test('properties that are named like annotations are part of it', () => {
    const hashes = [
      T.Object({}),
      T.Object({ title: T.Optional(T.String()) }),
      T.Object({ default: T.Optional(T.String()) }),
      T.Object({ default: T.Optional(T.Integer()) }),
    ].map(hashOf)
    expect(new Set(hashes).size).toBe(4)
  })

  test('values are part of it, whatever their keys', () => {
    const constant = (value: unknown) => T.Unsafe({ const: value })
    expect(hashOf(constant({ title: 1 }))).not.toBe(hashOf(constant({ title: 2 })))
    expect(hashOf(constant({ title: 1 }))).not.toBe(hashOf(constant({})))
  })

  test('the order of keys is not, the order of items is', () => {
    expect(hashOf(T.Unsafe({ minimum: 1, maximum: 2 }))).toBe(
      hashOf(T.Unsafe({ maximum: 2, minimum: 1 })),
    )
    expect(hashOf(T.Tuple([T.Null(), T.String()]))).not.toBe(
      hashOf(T.Tuple([T.String(), T.Null()])),
    )
  })

  test('options, the cursor, and an empty client part are not [case C24]', () => {
    const plain = contract('s', { a: serverStream({ output: T.Null() }) })
    const other = contract(
      's',
      {
        a: serverStream({
          output: T.Null(),
          timeoutMs: 5,
          idempotent: true,
          resumable: T.Integer(),
        }),
      },
      { client: {} },
    )
    expect(contractHash(other)).toBe(contractHash(plain))
  })

  test('name, kind, direction and every schema are', () => {
    const text = T.String()
    const made: AnyContract[] = [
      contract('s', {}),
      contract('t', {}),
      contract('s', { a: unary({}) }),
      contract('s', { b: unary({}) }),
      contract('s', {}, { client: { a: unary({}) } }),
      contract('s', { a: event() }),
      contract('s', { a: unary({ input: text }) }),
      contract('s', { a: unary({ output: text }) }),
      contract('s', { a: unary({ output: T.String({ maxLength: 5 }) }) }),
      contract('s', { a: unary({ errors: { Full: text } }) }),
      contract('s', { a: clientStream({ input: text }) }),
      contract('s', { a: clientStream({ input: text, params: text }) }),
      contract('s', { a: bidi({ input: text, output: text }) }),
    ]
    expect(new Set(made.map(contractHash)).size).toBe(made.length)
  })

  test('what JSON cannot hold: bigint, RegExp', () => {
    const hashes = [T.Literal(5n), T.Literal(6n), T.Literal('5')].map(hashOf)
    expect(new Set(hashes).size).toBe(3)
    expect(hashOf(T.String({ pattern: /^a$/ }))).toBe(hashOf(T.String({ pattern: '^a$' })))
  })

  test('it is computed once', () => {
    let reads = 0
    const counting = T.Unsafe({
      get const() {
        reads += 1
        return 5
      },
    })
    const method = unary({ input: counting })
    const made = contract('s', { method })
    reads = 0
    expect(methodHash(method)).toBe(methodHash(method))
    expect(contractHash(made)).toBe(contractHash(made))
    expect(reads).toBe(2)
  })
})

// Frozen: a hash that changes turns every rolling deploy into calls by name. Never edit a line.
describe('frozen hashes [case C24]', () => {
  const Point = T.Object({ x: T.Number(), y: T.Number({ minimum: -5.5 }) })
  const frozen: [string, AnyContract, string][] = [
    ['empty', contract('empty', {}), 'f8ca3681e62af019'],
    ['one method', contract('one', { ping: unary({}) }), '9b1ceb664ebd992d'],
    [
      'every kind',
      contract(
        'kinds',
        {
          a: unary({ input: Point, output: T.Boolean(), errors: { Full: Point } }),
          b: serverStream({ input: T.Null(), output: T.Union([Point, T.Literal('end')]) }),
          c: clientStream({ params: T.Integer(), input: Bytes(), output: Timestamp() }),
          d: bidi({ params: T.Tuple([T.String()]), input: T.BigInt(), output: T.Unknown() }),
          e: event({ input: T.Array(Point, { maxItems: 5 }) }),
        },
        { client: { f: event(), g: { h: unary({ output: T.Enum(['a', 'b']) }) } } },
      ),
      'cc473cad638a66e8',
    ],
    [
      'recursive, optional, beyond ASCII',
      contract('\u00FCber', {
        'gr\u00FC\u00DFe\u{1F600}': unary({
          input: T.Cyclic(
            { Node: T.Object({ next: T.Optional(T.Ref('Node')), name: T.String() }) },
            'Node',
          ),
          output: T.Object({
            a: T.Optional(Bytes({ maxLength: 7 })),
            b: T.Record(T.String(), Point),
          }),
        }),
      }),
      'e0af421f980f1c81',
    ],
    [
      '1,000 methods',
      contract(
        'many',
        Object.fromEntries(
          Array.from({ length: 1_000 }, (_, index) => [
            `m${index}`,
            unary({ output: T.Object({ [`p${index}`]: T.String() }) }),
          ]),
        ),
      ),
      '8bce66ca51ff3cbd',
    ],
  ]
  test.each(frozen)('%s', (_, made, hash) => {
    expect(contractHash(made)).toBe(hash)
  })
})
