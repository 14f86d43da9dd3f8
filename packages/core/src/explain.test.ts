import fc from 'fast-check'
import * as T from 'typebox'
import { Compile } from 'typebox/compile'
import { Check, Errors } from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { sizes } from '../../../tests/sizes.ts'
import { Bytes, Timestamp } from './contract/schemas.ts'
import { Explainer, type Tools } from './explain.ts'

const tools: Tools = { compile: Compile, check: Check, errors: Errors }

/** Path and keyword of the first finding. */
function first(schema: T.TSchema, value: unknown): string | undefined {
  const found = new Explainer(schema, tools).findings(value)[0]
  return found === undefined ? undefined : `${found.instancePath} ${found.keyword}`
}

function elapsed(run: () => void): number {
  const start = performance.now()
  run()
  return performance.now() - start
}

describe('the innermost part that does not fit', () => {
  const tree = T.Cyclic(
    {
      Node: T.Union([
        T.Object({ k: T.Literal('leaf'), v: T.Number() }),
        T.Object({ k: T.Literal('list'), of: T.Array(T.Ref('Node')) }),
        T.Object({ k: T.Literal('map'), of: T.Record(T.String(), T.Ref('Node')) }),
      ]),
    },
    'Node',
  )
  const leaf = { k: 'leaf', v: 1 }

  test.each<[string, T.TSchema, unknown]>([
    [' type', T.String(), 5],
    ['/a/b type', T.Object({ a: T.Object({ b: T.Null() }) }), { a: { b: 1 } }],
    [' required', T.Object({ a: T.Null(), b: T.Null() }), { a: null }],
    ['/a type', T.Object({ a: T.Null(), b: T.Null() }), { a: 1 }],
    [' maxItems', T.Array(T.Number(), { maxItems: 1 }), [1, 2]],
    ['/1 type', T.Array(T.Number(), { maxItems: 1 }), [1, 'x']],
    ['/1 type', T.Tuple([T.Number(), T.String()]), [1, 2]],
    [' minItems', T.Tuple([T.Number(), T.String()]), [1]],
    ['/1 boolean', T.Tuple([T.Number()]), [1, 2]],
    ['/x~1y~0 type', T.Record(T.String(), T.Null()), { 'a': null, 'x/y~': 1 }],
    ['/7 type', T.Record(T.Integer(), T.Null()), { x: 1, 7: 1 }],
    ['/b type', T.Object({ a: T.Null() }, { additionalProperties: T.Null() }), { a: null, b: 1 }],
    [' required', T.Intersect([T.Object({ a: T.Null() }), T.Object({ b: T.Null() })]), { a: null }],
    [
      '/b type',
      T.Intersect([T.Object({ a: T.Null() }), T.Object({ b: T.Null() })]),
      { a: null, b: 1 },
    ],
    ['/0 ~refine', T.Array(Bytes({ maxLength: 1 })), [new Uint8Array(2)]],
    [' ~refine', T.Union([Timestamp(), T.Null()]), 'x'],
    [' ~refine', T.Refine(T.Object({ a: T.Number() }), ({ a }) => a > 1), { a: 1 }],
    [
      '/of/1/of/x/v type',
      tree,
      { k: 'list', of: [leaf, { k: 'map', of: { x: { k: 'leaf', v: 'x' } } }] },
    ],
    ['/of/0/k const', tree, { k: 'list', of: [{ k: 'lea', v: 1 }] }],
    ['/of/0 required', tree, { k: 'list', of: [{ k: 'list' }] }],
    [
      '/0/a type',
      T.Array(T.Union([T.Object({ a: T.Null() }), T.Object({ b: T.Null() })])),
      [{ a: 1 }],
    ],
    ['/0/b type', T.Union([T.Array(T.Object({ b: T.Null() })), T.Null()]), [{ b: 1 }]],
    [' maxLength', T.String({ pattern: '^a+$', maxLength: 2 }), 'aaab'],
    [' pattern', T.String({ pattern: '^a+$', maxLength: 2 }), 'ab'],
    [' pattern', T.String({ pattern: '^a+$', maxLength: 2 }), '😈😈'],
  ])('%s', (expected, schema, value) => {
    expect(first(schema, value)).toBe(expected)
  })

  test('of what TypeBox has no words for, nothing; it does not throw', () => {
    expect(
      new Explainer(T.Unsafe<string>({ not: { type: 'string' } }), tools).findings('x'),
    ).toEqual([])
    expect(new Explainer(T.Unsafe<string>({ $ref: 'nowhere' }), tools).findings('x')).toEqual([])
  })

  test('a value that leads to itself', () => {
    const value: { next?: object; v: unknown } = { v: 1 }
    value.next = value
    const schema = T.Cyclic({ A: T.Object({ v: T.Number(), next: T.Ref('A') }) }, 'A')
    expect(first(schema, { v: 'x', next: value })).toBe('/v type')
  })
})

test('what is found is among what TypeBox finds, for any value', () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(null, 1, -1, 'a', 'b', 'ab', true, new Date(0), new Uint8Array(3)),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('k', 'n', 'l', 'm', 'x/y'), tie('any'), { maxKeys: 4 }),
    ),
  })).any
  const schema = T.Cyclic(
    {
      U: T.Union([
        T.Object({ k: T.Literal('a'), n: T.Ref('U') }, { additionalProperties: false }),
        T.Object({ k: T.Enum(['b', 'ab']), l: T.Optional(T.Array(T.Ref('U'))) }),
        T.Array(T.Ref('U'), { maxItems: 2 }),
        T.Null(),
        T.Number({ minimum: 0 }),
        Timestamp(),
        T.Intersect([T.Object({ m: T.Ref('U') }), T.Object({ k: T.Optional(T.Boolean()) })]),
      ]),
    },
    'U',
  )
  const compiled = Compile(schema)
  const explainer = new Explainer(schema, tools)
  let wrong = 0
  fc.assert(
    fc.property(value, (one) => {
      if (compiled.Check(one)) return
      wrong += 1
      const all = compiled.Errors(one).map(({ instancePath, message }) => instancePath + message)
      const found = explainer.findings(one)
      expect(found.length).toBeGreaterThan(0)
      // TypeBox stops at eight.
      if (all.length < 8)
        expect(all).toEqual(
          expect.arrayContaining(found.map(({ instancePath, message }) => instancePath + message)),
        )
    }),
    { seed: 5, numRuns: sizes.propertyRuns },
  )
  expect(wrong).toBeGreaterThan(sizes.propertyRuns / 4)
}, 60_000)

describe('in linear time', () => {
  test('recursive unions [threat C13]', () => {
    const branch = (k: string): T.TObject =>
      T.Object({ k: T.Literal(k), next: T.Optional(T.Ref('U')) })
    const schema = T.Cyclic({ U: T.Union(['a', 'b', 'c'].map(branch)) }, 'U')
    let value: object = { k: 'SECRET' }
    for (let depth = 0; depth < 60; depth += 1) value = { k: 'b', next: value }
    expect(elapsed(() => first(schema, value))).toBeLessThan(1_000)
    expect(first(schema, value)).toBe(`${'/next'.repeat(60)}/k const`)
  })

  test('recursive unions without a literal, which the linter refuses', () => {
    const branch = T.Object({ next: T.Optional(T.Ref('U')) }, { additionalProperties: false })
    const schema = T.Cyclic({ U: T.Union([branch, branch, branch]) }, 'U')
    let value: object = { x: 1 }
    for (let depth = 0; depth < 8; depth += 1) value = { next: value }
    expect(first(schema, value)).toMatch(/^(\/next)+/)
  })

  test('arrays, wherever the first wrong item is [threat C14]', () => {
    const schema = T.Array(T.Object({ a: T.Number(), b: T.String() }))
    const explainer = new Explainer(schema, tools)
    const good = Array.from({ length: 99_999 }, () => ({ a: 1, b: 'x' }))
    const all = Array.from({ length: 100_000 }, () => ({ a: 'x', b: 1 }))
    const last = [...good, { a: 'x', b: 1 }]
    expect(explainer.findings(all)[0]?.instancePath).toBe('/0/a')
    expect(explainer.findings(last)[0]?.instancePath).toBe('/99999/a')
    const best = (value: unknown): number =>
      Math.min(...Array.from({ length: 5 }, () => elapsed(() => explainer.findings(value))))
    expect(best(all)).toBeLessThan(50)
    expect(best(last)).toBeLessThan(50)
  })

  test('patterns are not tried on text that is too long [threat C12]', () => {
    const schema = T.String({ pattern: '^.*,.*;$', maxLength: 256 })
    expect(elapsed(() => first(schema, ','.repeat(200_000)))).toBeLessThan(1_000)
    const record = T.Object({ a: T.Union([schema, T.Null()]) })
    expect(elapsed(() => first(record, { a: ','.repeat(200_000) }))).toBeLessThan(1_000)
  })
})
