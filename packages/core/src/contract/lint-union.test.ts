import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { validate } from '../validate.ts'
import { contract } from './contract.ts'
import { unary, type Schema } from './kinds.ts'
import { lintContract } from './lint.ts'

const messages = (input: Schema): string[] =>
  lintContract(contract('s', { m: unary({ input }) })).map(
    ({ rule, path, message }) => `${rule} ${path}: ${message}`,
  )

const next = T.Optional(T.Ref('U'))
const optOut = '; if it is safe, say unsafeUnion: true'
const untold = (path: string): string =>
  `slow-union s.m.input${path}: two of its branches lead back to it, and no required literal tells them apart${optOut}`

/** A union that its parts lead back to by `U`. */
const union = (branches: T.TSchema[], options: T.TSchemaOptions = {}): Schema =>
  T.Cyclic({ U: T.Union(branches, options) }, 'U')

const discriminated = union([
  T.Object({ kind: T.Literal('a'), next, x: T.Optional(T.Number()) }),
  T.Object({ kind: T.Literal('b'), next, y: T.Optional(T.Number()) }),
])
const literalLast = union([
  T.Object({ next, kind: T.Literal('a') }),
  T.Object({ next, kind: T.Literal('b') }),
])

interface Chain {
  kind: string
  next?: Chain
}

function chain(depth: number, innermost = 'b'): Chain {
  let value: Chain = { kind: innermost }
  for (let level = 1; level < depth; level += 1) value = { kind: 'b', next: value }
  return value
}

function median(run: () => void): number {
  const times = Array.from({ length: 501 }, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
  return times.sort((a, b) => a - b)[250]!
}

describe('with a literal that stands first', () => {
  test('depth 64 takes less than 0.1 ms, whether it fits or not [threat C13]', () => {
    expect(messages(discriminated)).toEqual([])
    const check = (value: unknown): string | undefined => validate(discriminated).check(value)
    const document = chain(64)
    expect(check(document)).toBe(undefined)
    expect(median(() => check(document))).toBeLessThan(0.1)
  })

  test('an unfit document of depth 64 is described as fast as one of depth 2 [threat C13]', () => {
    const shallow = validate(discriminated).check(chain(2, 'c'))
    expect(shallow).toBe('/next/kind: must be one of "a", "b"')
    const document = chain(64, 'c')
    // The least of several: what else the machine does counts for nothing.
    let [least, text]: [number, string | undefined] = [Infinity, undefined]
    for (let run = 0; run < 5; run += 1) {
      const start = performance.now()
      text = validate(discriminated).check(document)
      least = Math.min(least, performance.now() - start)
    }
    expect(least).toBeLessThan(50)
    expect(text).toMatch(/^\/next(\/next)+.*: must be one of "a", "b"$/)
  })

  test.each<[string, Schema]>([
    ['of more branches', union(['a', 'b', 'c'].map((k) => T.Object({ k: T.Literal(k), next })))],
    [
      'an enumeration, a union of literals',
      union([
        T.Object({ k: T.Enum(['a', 'b']), next }),
        T.Object({ k: T.Union([T.Literal('c'), T.Literal('d')]), next }),
      ]),
    ],
    [
      'after fields that do not lead back',
      union([
        T.Object({ id: T.String(), k: T.Literal(1), next }),
        T.Object({ id: T.String(), k: T.Literal(2), next }),
      ]),
    ],
    [
      'by references',
      T.Cyclic(
        {
          U: T.Union([T.Ref('A'), T.Ref('B')]),
          A: T.Object({ k: T.Literal('a'), next }),
          B: T.Object({ k: T.Literal('b'), list: T.Array(T.Ref('U')) }),
        },
        'U',
      ),
    ],
    [
      'in the first part of an intersection',
      union([
        T.Intersect([T.Object({ k: T.Literal('a') }), T.Object({ next })]),
        T.Intersect([T.Object({ k: T.Literal('b') }), T.Object({ next })]),
      ]),
    ],
    [
      'in a tuple',
      union([
        T.Tuple([T.Literal('not'), T.Ref('U')]),
        T.Tuple([T.Literal('and'), T.Ref('U'), T.Ref('U')]),
      ]),
    ],
    [
      'in unions of unions',
      union([
        T.Union([T.Object({ k: T.Literal('a'), next }), T.Object({ k: T.Literal('b'), next })]),
        T.Object({ k: T.Literal('c'), next }),
      ]),
    ],
  ])('%s', (_, schema) => {
    expect(messages(schema)).toEqual([])
  })
})

describe('what else is fine', () => {
  test.each<[string, Schema]>([
    ['one recursive branch', union([T.Object({ next }), T.Null(), T.Object({ x: T.Number() })])],
    ['a union that is not recursive', T.Union([T.Object({ a: T.Null() }), T.Object({})])],
    ['a plain tree', T.Cyclic({ U: T.Object({ left: next, right: next }) }, 'U')],
    [
      'JSON: branches of different types',
      union([
        T.Null(),
        T.Boolean(),
        T.Number(),
        T.String(),
        T.Array(T.Ref('U')),
        T.Record(T.String(), T.Ref('U')),
      ]),
    ],
    [
      'an intersection of different properties',
      T.Cyclic({ U: T.Intersect([T.Object({ left: next }), T.Object({ right: next })]) }, 'U'),
    ],
    ['two branches into another recursion', T.Union([T.Array(discriminated), discriminated])],
  ])('%s', (_, schema) => {
    expect(messages(schema)).toEqual([])
  })
})

describe('refused [threat C13]', () => {
  test('a shared field in front of the literal', () => {
    expect(messages(literalLast)).toEqual([
      `slow-union s.m.input.$defs.U: the literal kind stands after next, which leads back to it: put kind first${optOut}`,
    ])
    // Why: each level takes both branches.
    const [short, long] = [6, 14].map((depth) =>
      median(() => validate(literalLast).check(chain(depth))),
    )
    expect(long! / short!).toBeGreaterThan(16)
  })

  test('no literal at all', () => {
    expect(messages(union([T.Object({ next, a: T.Null() }), T.Object({ next })]))).toEqual([
      untold('.$defs.U'),
    ])
  })

  test.each<[string, Schema]>([
    [
      'one that is optional',
      union(['a', 'b'].map((k) => T.Object({ k: T.Optional(T.Literal(k)), next }))),
    ],
    [
      'the same in two branches',
      union(['a', 'b', 'a'].map((k) => T.Object({ k: T.Literal(k), next }))),
    ],
    [
      'in different properties',
      union([T.Object({ k: T.Literal('a'), next }), T.Object({ l: T.Literal('b'), next })]),
    ],
    [
      'values that overlap',
      union([T.Object({ k: T.Enum(['a', 'b']), next }), T.Object({ k: T.Literal('b'), next })]),
    ],
    ['arrays of the same', union([T.Array(T.Ref('U')), T.Tuple([T.Ref('U')])])],
  ])('%s', (_, schema) => {
    expect(messages(schema)).toEqual([untold('.$defs.U')])
  })

  test('what is checked before any property', () => {
    const schema = union(
      ['a', 'b'].map((k) => T.Object({ k: T.Literal(k) }, { additionalProperties: T.Ref('U') })),
    )
    expect(messages(schema)).toEqual([
      `slow-union s.m.input.$defs.U: the literal k stands after additionalProperties, which leads back to it: put k first${optOut}`,
    ])
  })

  test('intersections and other keywords that check a value twice', () => {
    const both = T.Cyclic({ U: T.Intersect([T.Object({ next }), T.Object({ next })]) }, 'U')
    expect(messages(both)).toEqual([
      `slow-union s.m.input.$defs.U: two parts of it lead back to it by next${optOut}`,
    ])
    const one = T.Object({ k: T.Literal('a'), next })
    const other = T.Object({ k: T.Literal('b'), next })
    const oneOf = T.Cyclic({ U: T.Unsafe<object>({ oneOf: [one, other] }) }, 'U')
    expect(messages(oneOf)).toEqual([
      `slow-union s.m.input.$defs.U: leads back to itself by oneOf, more than once for the same value${optOut}`,
    ])
    const patterns = T.Cyclic(
      {
        U: T.Unsafe<object>({
          type: 'object',
          patternProperties: { '^a': T.Ref('U'), '^[ab]': T.Ref('U') },
        }),
      },
      'U',
    )
    expect(messages(patterns)).toEqual([
      `slow-union s.m.input.$defs.U: patternProperties lead back to it, each for the same entry${optOut}`,
    ])
  })

  test('unsafeUnion turns the rule off', () => {
    const branches = [T.Object({ next, a: T.Null() }), T.Object({ next })]
    expect(messages(union(branches, { unsafeUnion: true }))).toEqual([])
    expect(messages(union(branches, { unsafePattern: true }))).toEqual([untold('.$defs.U')])
  })
})
