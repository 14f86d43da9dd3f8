import * as T from 'typebox'
import { Compile } from 'typebox/compile'
import { describe, expect, test } from 'vitest'
import { Bytes, Timestamp } from './schemas.ts'

const checks = (schema: T.TSchema, value: unknown): boolean => Compile(schema).Check(value)

describe('Bytes', () => {
  test('takes Uint8Array, and Buffer, and nothing that looks like it', () => {
    expect(checks(Bytes(), new Uint8Array(3))).toBe(true)
    expect(checks(Bytes(), Buffer.from('abc'))).toBe(true)
    const others = ['abc', [1, 2], new ArrayBuffer(2), new Uint16Array(2), { length: 0 }, null]
    expect(others.filter((value) => checks(Bytes(), value))).toEqual([])
  })

  test.each([0, 4])('maxLength %s: at the limit and one over it', (maxLength) => {
    const schema = Bytes({ maxLength })
    expect(checks(schema, new Uint8Array(maxLength))).toBe(true)
    expect(checks(schema, new Uint8Array(maxLength + 1))).toBe(false)
  })

  test('the error names the rule, not the value', () => {
    const errors = Compile(T.Object({ a: Bytes({ maxLength: 2 }) })).Errors({
      a: new Uint8Array([7, 7, 7]),
    })
    expect(errors).toMatchObject([
      { instancePath: '/a', message: 'must be Uint8Array of at most 2 bytes' },
    ])
    expect(JSON.stringify(errors)).not.toContain('7')
  })

  test.each([-1, 1.5, Number.NaN, Infinity])('maxLength %s is refused', (maxLength) => {
    expect(() => Bytes({ maxLength })).toThrow('Bytes: maxLength must be a number of bytes')
  })
})

describe('Timestamp', () => {
  test('takes a valid Date and nothing else', () => {
    expect(checks(Timestamp(), new Date(0))).toBe(true)
    const others = [new Date(Number.NaN), 0, '2020-01-01T00:00:00Z', {}, null]
    expect(others.filter((value) => checks(Timestamp(), value))).toEqual([])
  })
})

describe('inside other schemas', () => {
  const schema = T.Object({
    avatar: Bytes({ maxLength: 4 }),
    thumbnail: T.Optional(Bytes()),
    times: T.Array(Timestamp()),
    either: T.Union([Timestamp(), T.String()]),
  })
  const value = { avatar: new Uint8Array(4), times: [new Date(0)], either: 'a' }

  test.each([
    ['as it should be', value, true],
    ['with the optional part', { ...value, thumbnail: new Uint8Array(9) }, true],
    ['the other branch', { ...value, either: new Date(5) }, true],
    ['optional, but of another type', { ...value, thumbnail: 'a' }, false],
    ['too long', { ...value, avatar: new Uint8Array(5) }, false],
    ['a number among dates', { ...value, times: [new Date(0), 5] }, false],
    ['neither branch', { ...value, either: new Date(Number.NaN) }, false],
  ])('%s', (_, input, expected) => {
    expect(checks(schema, input)).toBe(expected)
  })

  test('the kind survives what TypeBox copies, for codecs go by it', () => {
    const kinds = [schema.properties.avatar, schema.properties.thumbnail, T.Readonly(Timestamp())]
    expect(kinds.map((part) => (part as { '~kind'?: string })['~kind'])).toEqual([
      'Bytes',
      'Bytes',
      'Timestamp',
    ])
  })

  test('exported JSON Schema says how JSON would carry them', () => {
    expect(JSON.parse(JSON.stringify(schema))).toEqual({
      type: 'object',
      required: ['avatar', 'times', 'either'],
      properties: {
        avatar: { type: 'string', contentEncoding: 'base64', maxLength: 8 },
        thumbnail: { type: 'string', contentEncoding: 'base64' },
        times: { type: 'array', items: { type: 'string', format: 'date-time' } },
        either: { anyOf: [{ type: 'string', format: 'date-time' }, { type: 'string' }] },
      },
    })
  })
})
