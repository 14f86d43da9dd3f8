import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { bidi, clientStream, event, serverStream, unary, type MethodDefinition } from './kinds.ts'

const text = T.String()
const count = T.Integer()

describe('every kind has the same shape at run time', () => {
  const absent = { input: undefined, output: undefined, params: undefined, cursor: undefined }
  const settled = { errors: undefined, idempotent: false, timeoutMs: undefined }
  const errors = { Full: T.Object({}) }
  const cases: [string, MethodDefinition, object][] = [
    ['unary without anything', unary({}), { kind: 'unary' }],
    [
      'unary with everything',
      unary({ input: text, output: count, errors, idempotent: true, timeoutMs: 5 }),
      { kind: 'unary', input: text, output: count, errors, idempotent: true, timeoutMs: 5 },
    ],
    ['serverStream', serverStream({ output: text }), { kind: 'serverStream', output: text }],
    [
      'serverStream, resumable',
      serverStream({ input: text, output: text, resumable: count, idempotent: true }),
      { kind: 'serverStream', input: text, output: text, cursor: count, idempotent: true },
    ],
    ['clientStream', clientStream({ input: text }), { kind: 'clientStream', input: text }],
    [
      'clientStream with params',
      clientStream({ params: count, input: text, output: count }),
      { kind: 'clientStream', params: count, input: text, output: count },
    ],
    [
      'bidi',
      bidi({ params: count, input: text, output: count, timeoutMs: 60_000 }),
      { kind: 'bidi', params: count, input: text, output: count, timeoutMs: 60_000 },
    ],
    ['event', event({ input: text }), { kind: 'event', input: text }],
    ['event without input', event(), { kind: 'event' }],
  ]
  test.each(cases)('%s', (_, definition, expected) => {
    expect(definition).toStrictEqual({ ...absent, ...settled, ...expected })
    expect(Object.isFrozen(definition)).toBe(true)
  })

  test('schemas are kept as they are, not copied', () => {
    expect(unary({ input: text }).input).toBe(text)
  })

  test('errors are copied: what is added later is no part of the method', () => {
    const own: Record<string, typeof text> = { Full: text }
    const method = unary({ errors: own })
    own['Late'] = text
    expect(Object.keys(method.errors)).toEqual(['Full'])
    expect(Object.isFrozen(method.errors)).toBe(true)
  })
})

describe('options that plain JavaScript may misspell', () => {
  const loose = (options: object): never => options as never

  test.each([
    ['unary', () => unary(loose({ timeoutMS: 5 })), "unary: no option 'timeoutMS'"],
    ['unary', () => unary(loose({ params: text })), "unary: no option 'params'"],
    ['event', () => event(loose({ output: text })), "event: no option 'output'"],
    ['bidi', () => bidi(loose({ idempotent: true })), "bidi: no option 'idempotent'"],
  ])('%s %#', (_, make, message) => {
    expect(make).toThrow(new TypeError(message))
  })

  test.each([0, -1, 2 ** 31, Number.NaN, Infinity])('timeoutMs %s is refused', (timeoutMs) => {
    expect(() => unary({ timeoutMs })).toThrow('unary: timeoutMs must be from 1 to 2147483647')
  })

  test.each([1, 2 ** 31 - 1])('timeoutMs %s is taken', (timeoutMs) => {
    expect(unary({ timeoutMs }).timeoutMs).toBe(timeoutMs)
  })

  test('undefined options are absent ones', () => {
    const { timeoutMs, errors, input } = unary({
      input: undefined,
      timeoutMs: undefined,
      errors: undefined,
    })
    expect([timeoutMs, errors, input]).toEqual([undefined, undefined, undefined])
  })
})
