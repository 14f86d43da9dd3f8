import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { validate } from '../validate.ts'
import { contract } from './contract.ts'
import { bidi, clientStream, event, serverStream, unary, type Schema } from './kinds.ts'
import { lintContract, refuseProblems, type ContractProblem } from './lint.ts'
import { Bytes, Timestamp } from './schemas.ts'

const lint = (input: Schema): readonly ContractProblem[] =>
  lintContract(contract('lobby', { create: unary({ input }) }))

/** Rule and path below the input. */
const found = (input: Schema): string[] =>
  lint(input).map(({ rule, path }) => `${rule} ${path.replace('lobby.create.input', '')}`)

const slow = T.String({ pattern: '^(a+)+$', maxLength: 40 })

test('a contract without problems', () => {
  const seat = T.Object({
    id: T.String({ pattern: '^[a-z]+$', maxLength: 20 }),
    at: Timestamp(),
    image: T.Optional(Bytes({ maxLength: 10 })),
    email: T.String({ format: 'email' }),
    scores: T.Record(T.String(), T.Number()),
    byNumber: T.Record(T.Integer(), T.Union([T.Literal('a'), T.Null()])),
    pair: T.Tuple([T.String(), T.Optional(T.Number())]),
    both: T.Intersect([T.Object({ a: T.String() }), T.Object({ b: T.BigInt() })]),
  })
  expect(found(T.Object({ seat, other: seat }))).toEqual([])
  expect(lintContract(contract('empty', { nothing: unary({}), ping: event() }))).toEqual([])
})

describe('paths', () => {
  test('of every part of a method, in both directions', () => {
    const bad = (): Schema => T.String({ pattern: '^a+$' })
    const lobby = contract(
      'lobby',
      {
        b: {
          up: clientStream({ params: bad(), input: bad(), output: bad() }),
          play: bidi({ params: bad(), input: bad(), output: bad() }),
        },
        a: serverStream({ input: bad(), output: bad(), resumable: bad(), errors: { full: bad() } }),
        log: event({ input: bad() }),
      },
      { client: { confirm: unary({ output: bad() }) } },
    )
    expect(lintContract(lobby).map(({ path }) => path)).toEqual([
      ...['input', 'output', 'cursor', 'errors.full'].map((part) => `lobby.a.${part}`),
      ...['params', 'input', 'output'].map((part) => `lobby.b.play.${part}`),
      ...['params', 'input', 'output'].map((part) => `lobby.b.up.${part}`),
      'lobby.log.input',
      'lobby.client.confirm.output',
    ])
  })

  test('of every kind of schema', () => {
    const bad = (): T.TString => T.String({ pattern: '^(a+)+$', maxLength: 40 })
    const node = T.Cyclic({ Node: T.Object({ v: bad(), next: T.Optional(T.Ref('Node')) }) }, 'Node')
    const all: readonly (readonly [Schema, string])[] = [
      [bad(), ''],
      [T.Object({ a: T.Object({ b: bad() }) }), '.a.b'],
      [T.Object({ a: T.Optional(bad()) }), '.a'],
      [T.Object({ a: T.Readonly(bad()) }), '.a'],
      [T.Object({}, { additionalProperties: bad() }), '.*'],
      [T.Array(bad()), '[]'],
      [T.Tuple([T.Number(), bad()]), '[1]'],
      [T.Record(T.String(), bad()), '.*'],
      [T.Union([T.Null(), bad()]), '.anyOf.1'],
      [T.Intersect([T.Object({ a: bad() }), T.Object({})]), '.allOf.0.a'],
      [T.Unsafe<'brand'>(bad()), ''],
      [T.Unsafe<string>({ type: 'string', maxLength: 9, pattern: '^(a|a)*$' }), ''],
      [T.Unsafe<string>({ oneOf: [bad(), { not: { type: 'null' } }] }), '.oneOf.0'],
      [T.Unsafe<string>({ not: bad() }), '.not'],
      [T.Unsafe<string>({ if: bad(), then: {} }), '.if'],
      [T.Unsafe<string>({ prefixItems: [{}, bad()] }), '.prefixItems.1'],
      [T.Unsafe<string>({ dependentSchemas: { a: bad() } }), '.dependentSchemas.a'],
      [T.Unsafe<string>({ propertyNames: bad() }), '.propertyNames'],
      [T.Object({ a: node }), '.a.$defs.Node.v'],
      [T.Refine(bad(), () => true), ''],
      [T.TemplateLiteral('^${string}${string}${string}x'), ''],
    ]
    for (const [schema, path] of all)
      expect([JSON.stringify(schema), ...lint(schema).map((problem) => problem.path)]).toContain(
        `lobby.create.input${path}`,
      )
  })

  test('a schema that methods share is named once', () => {
    const shared = unary({ input: slow, output: slow })
    expect(lintContract(contract('lobby', { a: shared, b: shared }))).toHaveLength(1)
  })

  test('values are no schemas', () => {
    const value = { pattern: '^(a+)+$', properties: { constructor: {} } }
    expect(found(T.Object({}, { default: value, examples: [value] }))).toEqual([])
    expect(found(T.Unsafe<object>({ const: value }))).toEqual([])
    expect(found(T.Unsafe<object>({ enum: [value] }))).toEqual([])
  })

  test('properties may be called like keywords', () => {
    const schema = T.Object({
      pattern: T.String(),
      properties: T.Object({ items: slow }),
      required: T.Boolean(),
      $ref: T.String(),
      unsafePattern: T.Boolean(),
    })
    expect(found(schema)).toEqual(['slow-pattern .properties.items'])
  })

  test('the walk ends, whatever refers to whatever', () => {
    const circle: { properties: Record<string, object> } = { properties: {} }
    circle.properties['self'] = circle
    circle.properties['bad'] = T.String({ pattern: 'a' })
    const input = T.Unsafe<object>({ anyOf: [circle, { $ref: '#' }, { $ref: 'nowhere' }] })
    const self = T.Unsafe<object>({ $id: 'A', $ref: 'A' })
    // `contract()` walks by itself.
    expect(found(input)).toContain('pattern-length .anyOf.0.bad')
    expect(found(self)).toEqual([])
  })
})

describe('patterns [threat C12]', () => {
  test.each([undefined, 257, Infinity])('maxLength %s is refused', (maxLength) => {
    const options = maxLength === undefined ? {} : { maxLength }
    const [problem, ...more] = lint(T.Object({ name: T.String({ pattern: '^a+$', ...options }) }))
    expect(more).toEqual([])
    expect(problem).toEqual({
      rule: 'pattern-length',
      path: 'lobby.create.input.name',
      message: 'pattern needs maxLength <= 256; if it is safe, say unsafePattern: true',
    })
  })

  test('maxLength 256 is enough, and the length decides with the pattern', () => {
    expect(found(T.String({ pattern: '^a+$', maxLength: 256 }))).toEqual([])
    expect(found(T.String({ pattern: '^.*.*.*x$', maxLength: 256 }))).toEqual(['slow-pattern '])
    expect(found(T.String({ pattern: '^.*.*.*x$', maxLength: 20 }))).toEqual([])
  })

  test('^(a+)+$ is refused, and the path is named', () => {
    expect(lint(T.Object({ name: slow }))).toEqual([
      {
        rule: 'slow-pattern',
        path: 'lobby.create.input.name',
        message:
          'pattern matches the same text in exponentially many ways by (a+)+; ' +
          'if it is safe, say unsafePattern: true',
      },
    ])
  })

  test('as a RegExp, with its flags', () => {
    const input = (pattern: RegExp): Schema =>
      T.Unsafe<string>({ type: 'string', maxLength: 9, pattern })
    expect(found(input(/^(?:a|A)+$/))).toEqual([])
    expect(found(input(/^(?:a|A)+$/i))).toEqual(['slow-pattern '])
  })

  test('what is no pattern is refused, for it would throw at the first call', () => {
    for (const pattern of ['(', 'a{', '\\-'])
      expect([pattern, ...found(T.String({ pattern, maxLength: 9 }))]).toEqual([
        pattern,
        'invalid-pattern ',
      ])
  })

  test('of keys, whose length nothing limits', () => {
    const record = (pattern: string): Schema => T.Record(T.String({ pattern }), T.Null())
    expect(found(record('^[a-z]+(?:-[a-z]+)*$'))).toEqual([])
    expect(found(record('^(a+)+$'))).toEqual(['slow-pattern '])
    expect(found(record('[a-z]'))).toEqual(['slow-pattern '])
    expect(found(T.Record(T.TemplateLiteral('a-${string}'), T.Null()))).toEqual([])
  })

  test('unsafePattern turns the rules off for one schema', () => {
    const trusted = T.String({ pattern: '^(a+)+$', unsafePattern: true })
    expect(found(T.Object({ trusted, slow }))).toEqual(['slow-pattern .slow'])
    const key = T.String({ pattern: '^(b+)+$' })
    expect(found(T.Record(key, T.Null(), { unsafePattern: true }))).toEqual([])
    expect(found(T.String({ pattern: 'a', unsafePattern: false }))).toEqual(['pattern-length '])
  })
})

describe('inherited names [threat C15]', () => {
  test.each(Object.getOwnPropertyNames(Object.prototype))('%s is refused', (name) => {
    const [problem, ...more] = lint(T.Object({ a: T.Object({ [name]: T.String() }) }))
    expect(more).toEqual([])
    expect(problem).toEqual({
      rule: 'inherited-name',
      path: `lobby.create.input.a.${name}`,
      message: `every object inherits ${name}: use another name`,
    })
  })

  test('optional, in a record of names, only required, and as a tag of an error', () => {
    expect(found(T.Object({ toString: T.Optional(T.String()) }))).toEqual([
      'inherited-name .toString',
    ])
    const names = T.Union([T.Literal('valueOf'), T.Literal('b')])
    expect(found(T.Record(names, T.Null()))).toEqual(['inherited-name .valueOf'])
    expect(found(T.Unsafe<object>({ required: ['toString'] }))).toEqual([
      'inherited-name .toString',
    ])
    const errors = { constructor: T.Object({}) }
    expect(lintContract(contract('lobby', { create: unary({ errors }) }))).toMatchObject([
      { rule: 'inherited-name', path: 'lobby.create.errors.constructor' },
    ])
  })

  test('names that only look like it, and opt-outs', () => {
    expect(found(T.Object({ tostring: T.Null(), then: T.Null(), prototype: T.Null() }))).toEqual([])
    const unsafe = { unsafePattern: true, unsafeUnion: true }
    expect(found(T.Object({ toString: T.Null() }, unsafe))).toEqual(['inherited-name .toString'])
  })
})

test('two definitions of one name, which TypeBox takes for one another', () => {
  const node = (v: Schema): Schema =>
    T.Cyclic({ Node: T.Object({ v, next: T.Optional(T.Ref('Node')) }) }, 'Node')
  const mixed = T.Object({ a: node(T.Number()), b: node(T.String()) })
  expect(found(mixed)).toEqual(['ambiguous-ref .b.$defs.Node'])
  // Why: correct by its schema.
  expect(validate(mixed).check({ a: { v: 1 }, b: { v: 'x' } })).not.toBe(undefined)
  expect(found(T.Object({ a: node(T.BigInt()), b: node(T.BigInt()) }))).toEqual([])
  const one = node(T.Literal(5n))
  expect(found(T.Object({ a: one, b: T.Optional(one) }))).toEqual([])
})

test('one TypeError names them all', () => {
  const lobby = contract('lobby', {
    create: unary({ input: T.Object({ name: T.String({ pattern: 'a' }), toString: slow }) }),
  })
  expect(() => refuseProblems(lobby)).toThrow(
    new TypeError(
      [
        "contract 'lobby':",
        '  lobby.create.input.toString: every object inherits toString: use another name',
        '  lobby.create.input.name: pattern needs maxLength <= 256; if it is safe, say unsafePattern: true',
        '  lobby.create.input.toString: pattern matches the same text in exponentially many ways by (a+)+; if it is safe, say unsafePattern: true',
      ].join('\n'),
    ),
  )
  expect(refuseProblems(contract('lobby', { create: unary({}) }))).toBe(undefined)
})
