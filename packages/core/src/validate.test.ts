import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { Bytes, Timestamp } from './contract/schemas.ts'
import { validate } from './validate.ts'

const move = T.Object(
  {
    seat: T.String({ maxLength: 5 }),
    round: T.Integer({ minimum: 1 }),
    note: T.Optional(T.String()),
    image: T.Optional(Bytes({ maxLength: 2 })),
    at: T.Optional(Timestamp()),
    side: T.Optional(T.Union([T.Literal('left'), T.Literal('right')])),
    tone: T.Optional(T.Enum(['low', 'high'])),
    code: T.Optional(T.String({ pattern: '^[a-z]+$' })),
    rows: T.Optional(T.Array(T.Object({ x: T.Number() }), { maxItems: 2 })),
    pair: T.Optional(T.Tuple([T.String(), T.Number()])),
    scores: T.Optional(T.Record(T.String(), T.Number())),
    big: T.Optional(T.BigInt()),
    shape: T.Optional(
      T.Union([
        T.Object({ kind: T.Literal('dot'), size: T.Number() }),
        T.Object({ kind: T.Literal('line'), to: T.String() }),
      ]),
    ),
  },
  { additionalProperties: false },
)
const good = { seat: 'a1', round: 1 }
const check = (changes: object): string | undefined => validate(move).check({ ...good, ...changes })

describe('validate', () => {
  test('the same validator for the same schema', () => {
    expect(validate(move)).toBe(validate(move))
    expect(validate(T.String())).not.toBe(validate(T.String()))
  })

  test('a schema is not compiled before its first check', () => {
    const broken = T.Object({ a: T.String({ pattern: '(' }) })
    const validator = validate(broken)
    expect(() => validator.check({ a: 'x' })).toThrow(SyntaxError)
  })

  test('valid values', () => {
    for (const changes of [
      {},
      {
        note: 'x',
        image: new Uint8Array(2),
        at: new Date(0),
        side: 'left',
        tone: 'high',
        code: 'abc',
      },
      { image: Buffer.from([1]), rows: [{ x: 1 }], pair: ['a', 1], scores: { ada: 1 }, big: 5n },
      { shape: { kind: 'line', to: 'b2' } },
    ])
      expect(check(changes)).toBe(undefined)
  })

  test.each([
    ['/seat: must be string', { seat: 5 }],
    ['/seat: must not have more than 5 characters', { seat: 'SECRET' }],
    ['/round: must be integer', { round: Number.NaN }],
    ['/round: must be integer', { round: Infinity }],
    ['/round: must be integer', { round: 9_007_199_254_740_993n }],
    ['/round: must be >= 1', { round: 0 }],
    ['/image: must be Uint8Array of at most 2 bytes', { image: new Uint8Array(3) }],
    ['/image: must be Uint8Array of at most 2 bytes', { image: [1, 2] }],
    ['/image: must be Uint8Array of at most 2 bytes', { image: 'S' }],
    ['/at: must be a valid Date', { at: new Date(Number.NaN) }],
    ['/at: must be a valid Date', { at: 5 }],
    ['/side: must be one of "left", "right"', { side: 'SECRET' }],
    ['/tone: must be one of "low", "high"', { tone: 'SECRET' }],
    ['/code: must match pattern "^[a-z]+$"', { code: 'SECRET' }],
    ['/rows/1/x: must be number', { rows: [{ x: 1 }, { x: 'SECRET' }] }],
    ['/rows: must not have more than 2 items', { rows: [{ x: 1 }, { x: 1 }, { x: 1 }] }],
    ['/pair: must not have fewer than 2 items', { pair: ['SECRET'] }],
    ['/scores/ada~1lovelace: must be number', { scores: { 'ada/lovelace': 'SECRET' } }],
    ['/big: must be bigint', { big: 5 }],
    ['/: must not have additional properties', { SECRET: 1 }],
    ['/shape/to: must be string', { shape: { kind: 'line', to: 5 } }],
    ['/shape/size: must be number', { shape: { kind: 'dot', size: 'SECRET' } }],
    ['/shape/kind: must be one of "dot", "line"', { shape: { kind: 'SECRET' } }],
  ])('%s [case C45] [threat C10]', (text, changes) => {
    expect(check(changes)).toBe(text)
    expect(text).not.toContain('SECRET')
  })

  test('what is missing is named, and so is a value of another type', () => {
    expect(validate(move).check({ round: 1 })).toBe('/: must have required properties seat')
    for (const value of [null, undefined, 5, 'SECRET', []])
      expect(validate(move).check(value)).toBe('/: must be object')
    expect(validate(T.Literal('start')).check('SECRET')).toBe('/: must be "start"')
    expect(validate(T.Literal(5)).check('SECRET')).toBe('/: must be 5')
    expect(validate(T.Undefined()).check({})).toMatch(/^\/: must be /)
  })

  test('Cyclic, Intersect and references', () => {
    const node = T.Cyclic(
      { Node: T.Object({ v: T.Number(), next: T.Optional(T.Ref('Node')) }) },
      'Node',
    )
    expect(validate(node).check({ v: 1, next: { v: 2, next: { v: 3 } } })).toBe(undefined)
    expect(validate(node).check({ v: 1, next: { v: 2, next: { v: 'x' } } })).toBe(
      '/next/next/v: must be number',
    )
    const both = T.Intersect([T.Object({ a: T.String() }), T.Object({ b: T.Number() })])
    expect(validate(both).check({ a: 'x', b: 1 })).toBe(undefined)
    expect(validate(both).check({ a: 'x' })).toBe('/: must have required properties b')
    const bytes = T.Object({ list: T.Array(T.Object({ b: Bytes(), t: Timestamp() })) })
    expect(validate(bytes).check({ list: [{ b: new Uint8Array(9), t: new Date() }] })).toBe(
      undefined,
    )
    expect(validate(bytes).check({ list: [{ b: 'x', t: new Date() }] })).toBe(
      '/list/0/b: must be Uint8Array',
    )
  })

  test('an undefined property counts as absent, as it is on the wire', () => {
    expect(check({ note: undefined, shape: undefined })).toBe(undefined)
    expect(check({ unknown: undefined })).toBe(undefined)
    expect(check({ unknown: undefined, rows: [{ x: 1, y: undefined }] })).toBe(undefined)
    expect(check({ unknown: undefined, round: 0 })).toBe('/round: must be >= 1')
    expect(check({ seat: undefined })).toBe('/: must have required properties seat')
    const value = { ...good, unknown: undefined }
    validate(move).check(value)
    expect(Object.keys(value)).toEqual(['seat', 'round', 'unknown'])
  })

  test('properties that every object inherits do not count as there [threat C15]', () => {
    for (const name of ['toString', 'constructor', 'valueOf', 'hasOwnProperty', '__proto__']) {
      const required = validate(T.Object({ [name]: T.Unknown(), a: T.Number() }))
      const optional = validate(T.Object({ [name]: T.Optional(T.String()), a: T.Number() }))
      const deep = validate(
        T.Array(T.Object({ inner: T.Optional(T.Object({ [name]: T.Unknown() })) })),
      )
      const own = JSON.parse(`{ "${name}": "x", "a": 1 }`) as object
      expect(required.check(own), `${name}`).toBe(undefined)
      expect(required.check({ a: 1 }), `${name}`).toBe(`/: must have required properties ${name}`)
      expect(optional.check(own), `${name}`).toBe(undefined)
      expect(optional.check({ a: 1 }), `${name}`).toBe(undefined)
      expect(deep.check([{}, { inner: own }]), `${name}`).toBe(undefined)
      expect(deep.check([{}, { inner: {} }]), `${name}`).toBe(
        `/1/inner: must have required properties ${name}`,
      )
    }
    const mixed = validate(T.Object({ toString: T.Unknown(), at: Timestamp(), image: Bytes() }))
    expect(
      mixed.check(Object.assign({}, { toString: 1, at: new Date(), image: new Uint8Array() })),
    ).toBe(undefined)
  })

  test('100,000 wrong rows give one short line [threat C14]', () => {
    const rows = T.Object({ rows: T.Array(T.Object({ a: T.Number(), b: T.String() })) })
    const value = { rows: Array.from({ length: 100_000 }, () => ({ a: 'SECRET', b: 1 })) }
    const start = performance.now()
    expect(validate(rows).check(value)).toBe('/rows/0/a: must be number')
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  test("paths and rules are cut: keys of a record are the peer's", () => {
    const record = T.Record(T.String(), T.Number())
    const text = validate(record).check({ ['k'.repeat(100_000)]: 'x' })!
    expect(text.length).toBeLessThan(300)
    expect(text).toMatch(/^\/k+…: must be number$/)
    const enumeration = T.Enum(Array.from({ length: 1_000 }, (_, index) => `choice-${index}`))
    expect(validate(enumeration).check('x')!.length).toBeLessThan(300)
  })

  test('a value with a cycle is refused or accepted, and either way the check ends', () => {
    const value: Record<string, unknown> = { a: undefined }
    value['self'] = value
    expect(validate(T.Object({ n: T.Number() })).check(value)).toBe(
      '/: must have required properties n',
    )
    expect(validate(T.Object({ toString: T.Unknown() })).check(value)).toMatch(/required/)
  })
})
