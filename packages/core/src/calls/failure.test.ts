import { errorOf, hex, partsOf, toHex, toMsgpack } from '@callbox/testing/node'
import { VirtualClock } from '@callbox/testing'
import * as T from 'typebox'
import { beforeEach, describe, expect, test } from 'vitest'
import { codeNumbers, RpcError, type Code } from '../base/errors.ts'
import { resolveLimits, type Limits } from '../base/limits.ts'
import { Timers } from '../base/timers.ts'
import { ByteSink } from '../codec/sink.ts'
import { msgpackCodec } from '../codec/msgpack.ts'
import { serverStream, unary } from '../contract/kinds.ts'
import { ErrorFlag } from '../frames/fields.ts'
import { Memory } from '../session/memory.ts'
import { Parked } from '../session/parked.ts'
import { validate } from '../validate.ts'
import {
  failure,
  failureFrame,
  failureOfThrow,
  failureOfUpload,
  internalFailure,
  isFinal,
  readFailure,
  type WireFailure,
} from './failure.ts'
import type { Runtime } from './runtime.ts'

interface Reported {
  readonly level: string
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

let reports: Reported[] = []
beforeEach(() => {
  reports = []
})

function runtimeWith(changes: Partial<Runtime> = {}, limits: Limits = resolveLimits()): Runtime {
  const clock = new VirtualClock()
  const timers = new Timers(clock)
  return {
    clock,
    timers,
    limits,
    memory: new Memory(clock, timers, limits.processBudget, { bytes: 0 }),
    parked: new Parked(limits.parkedBudget),
    codecs: [msgpackCodec(limits)],
    sink: new ByteSink(),
    validate,
    checkOutput: true,
    report: (level, event, fields) => void reports.push({ level, event, fields }),
    ...changes,
  }
}

const limits = resolveLimits()
const definition = unary({
  errors: { Full: T.Object({ seats: T.Integer() }), Gone: T.Undefined() },
})
const method = { name: 'lobby.join', definition }

/** What goes out, as a peer that shares no code sees it. */
function sent(wire: WireFailure): ReturnType<typeof errorOf> & { readonly id: number } {
  const { buffer, start, end } = failureFrame(7, wire)
  const parts = partsOf(buffer.subarray(start, end))
  expect([parts.type, parts.flags]).toEqual([0x13, 0])
  return { id: parts.id, ...errorOf(parts) }
}

const ofThrow = (thrown: unknown, runtime = runtimeWith()): ReturnType<typeof sent> =>
  sent(failureOfThrow(runtime, method, thrown))

/** An ERROR that came, read for `join`. */
function got(body: Uint8Array | string): RpcError {
  const bytes = typeof body === 'string' ? hex(body) : body
  return readFailure(bytes, 0, bytes.length, limits, definition)
}
const frame = (code: number, flags: number, body: unknown): Uint8Array =>
  Buffer.concat([hex('13 00 00000007'), Uint8Array.of(code, flags), toMsgpack(body)])

describe('what leaves', () => {
  test('a failure of the framework, byte for byte', () => {
    const { buffer, start, end } = failureFrame(7, failure('unavailable', 'no', 'no', 1_000))
    expect(toHex(buffer.subarray(start, end))).toBe(
      '130000000007' + '0e09' + '000003e8' + '91a26e6f',
    )
  })

  test('NOT_PROCESSED stands only where the handler never ran', () => {
    expect(sent(failure('aborted', 'x', 'no')).flags).toBe(ErrorFlag.NotProcessed)
    expect(sent(failure('aborted', 'x', 'yes')).flags).toBe(0)
  })

  test.each(Object.keys(codeNumbers) as Code[])('a handler may throw %s [case C50]', (code) => {
    expect(ofThrow(new RpcError(code, 'why'))).toEqual({
      id: 7,
      code: codeNumbers[code],
      flags: 0,
      retryAfterMs: undefined,
      body: ['why'],
    })
  })

  test('whatever a handler says of `processed`, it ran', () => {
    expect(ofThrow(new RpcError('aborted', '', { processed: 'no' })).flags).toBe(0)
  })

  test('retryAfterMs is pushed back', () => {
    expect(ofThrow(new RpcError('unavailable', '', { retryAfterMs: 250 }))).toMatchObject({
      flags: ErrorFlag.Pushback,
      retryAfterMs: 250,
    })
  })

  test('the cause and the id stay here', () => {
    const error = new RpcError('aborted', 'why', { cause: new Error('secret'), id: 'secret' })
    const { body } = ofThrow(error)
    expect(body).toEqual(['why'])
  })

  test('a text is cut at 1,024, and its lone surrogates are replaced', () => {
    const [text] = ofThrow(new RpcError('aborted', 'x'.repeat(2_000))).body as [string]
    expect(text).toBe('x'.repeat(1_024))
    expect(ofThrow(new RpcError('aborted', 'a\uD800b\uDC00c😈')).body).toEqual([
      'a\uFFFDb\uFFFDc😈',
    ])
    // Cut in the middle of a pair.
    expect(ofThrow(new RpcError('aborted', `${'x'.repeat(1_023)}😈`)).body).toEqual([
      `${'x'.repeat(1_023)}\uFFFD`,
    ])
  })

  test('a message with whitespace and Unicode leaves exactly [case C51]', () => {
    const text = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'
    expect(ofThrow(new RpcError('not_found', text)).body).toEqual([text])
  })
})

describe('an undeclared throw [case C53]', () => {
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error('secret')
      },
      has() {
        throw new Error('secret')
      },
    },
  )
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  test.each<readonly [string, unknown]>([
    ['an Error', new Error('secret')],
    ['undefined', undefined],
    ['null', null],
    ['text', 'secret'],
    ['a cyclic object', cyclic],
    ['an object that looks like an RpcError', { code: 'aborted', message: 'secret' }],
  ])('%s is internal with an id, reported under the same id', (_, thrown) => {
    const wire = ofThrow(thrown)
    expect(wire).toMatchObject({ code: codeNumbers.internal, flags: 0, retryAfterMs: undefined })
    const [id, ...rest] = wire.body as [string]
    expect(id).toMatch(/^[0-9a-f]{16}$/)
    expect(rest).toEqual([])
    expect(reports).toEqual([
      {
        level: 'error',
        event: 'handler failed',
        fields: { id, method: 'lobby.join', err: thrown },
      },
    ])
  })

  test.each<readonly [string, unknown]>([
    ['an object whose traps throw', hostile],
    [
      'an RpcError whose message is no text',
      Object.assign(new RpcError('aborted'), { message: 1 }),
    ],
    ['an RpcError whose code is none', new RpcError('nonsense' as Code, 'secret')],
  ])('%s is internal too: nothing may escape from here', (_, thrown) => {
    const wire = ofThrow(thrown)
    expect(wire.code).toBe(codeNumbers.internal)
    expect(wire.body).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)])
  })

  test('ids come from the clock’s chance, 8 bytes each', () => {
    const runtime = runtimeWith()
    const ids = [1, 2].map(() => sent(internalFailure(runtime, 'a.b', 1)).body)
    expect(new Set(ids.flat() as string[]).size).toBe(2)
  })
})

describe('a declared error [case C52]', () => {
  const full = (data: unknown, tag = 'Full'): RpcError =>
    new RpcError('failed_precondition', 'no seat', { tag, data })

  test('leaves with its tag and its data', () => {
    expect(ofThrow(full({ seats: 3 }))).toMatchObject({
      code: codeNumbers.failed_precondition,
      flags: ErrorFlag.Typed,
      body: ['no seat', 'Full', { seats: 3 }],
    })
    expect(reports).toEqual([])
  })

  test('without data the body has two parts', () => {
    expect(ofThrow(full(undefined, 'Gone')).body).toEqual(['no seat', 'Gone'])
  })

  test.each<readonly [string, unknown, string]>([
    ['data against its schema', { seats: 'three' }, 'Full'],
    ['data that is missing', undefined, 'Full'],
    ['a tag that is not declared', { seats: 3 }, 'Other'],
    ['a tag that every object has', { seats: 3 }, 'toString'],
  ])('%s is internal, and the reason is reported, not sent', (_, data, tag) => {
    const thrown = full(data, tag)
    const wire = ofThrow(thrown)
    expect(wire).toMatchObject({ code: codeNumbers.internal, flags: 0 })
    expect(wire.body).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)])
    expect(reports).toMatchObject([{ fields: { err: { cause: thrown } } }])
  })

  test('data as deep as a payload may be does not fit behind a tag', () => {
    const lax = runtimeWith({ checkOutput: false })
    let deep: unknown = 0
    for (let depth = 0; depth < 64; depth += 1) deep = [deep]
    expect(ofThrow(full(deep), lax).code).toBe(codeNumbers.internal)
    expect(ofThrow(full([0]), lax).flags).toBe(ErrorFlag.Typed)
  })

  test('without output checks its data is not judged, its size is', () => {
    const lax = runtimeWith({ checkOutput: false })
    expect(ofThrow(full({ seats: 'three' }), lax).body).toEqual([
      'no seat',
      'Full',
      { seats: 'three' },
    ])
    expect(ofThrow(full({ seats: 'x'.repeat(9_000) }), lax).code).toBe(codeNumbers.internal)
    expect(ofThrow(full({ seats: () => 1 }), lax).code).toBe(codeNumbers.internal)
  })

  test('data of maxErrorData bytes leaves, one byte more does not', () => {
    const lax = runtimeWith({ checkOutput: false }, resolveLimits({ maxErrorData: 100 }))
    // Bytes of msgpack: two in front of 98.
    expect(ofThrow(full('x'.repeat(98)), lax).flags).toBe(ErrorFlag.Typed)
    expect(ofThrow(full('x'.repeat(99)), lax).code).toBe(codeNumbers.internal)
    expect(String((reports[0]!.fields['err'] as Error).message)).toContain('maxErrorData')
  })
})

describe('what comes', () => {
  test.each(Object.entries(codeNumbers))('%s is known by its number', (code, number) => {
    expect(got(frame(number, 0, ['why']))).toMatchObject({
      code,
      message: 'why',
      processed: 'yes',
    })
  })

  test('NOT_PROCESSED says that nothing ran', () => {
    expect(got(frame(7, 1, ['no']))).toMatchObject({ code: 'permission_denied', processed: 'no' })
  })

  test('an unknown code is named [case C57]', () => {
    for (const number of [0, 17, 31, 36, 200, 255])
      expect(got(frame(number, 0, ['x']))).toMatchObject({
        code: 'unknown',
        message: `unknown code ${number}`,
        processed: 'yes',
      })
  })

  test.each([
    ['nothing', ''],
    ['a type that msgpack has not', 'c1'],
    ['a list that is cut', '92a161'],
    ['a map', '80'],
    ['text', 'a161'],
    ['a number for the text', '9101'],
    ['bytes behind the list', '90ff'],
  ])('a body of %s leaves the code, and no text [case C58]', (_, body) => {
    expect(got(`13 00 00000007 05 00 ${body}`)).toMatchObject({
      code: 'not_found',
      message: '',
      processed: 'yes',
    })
  })

  test('an id of internal is an id, any other text of it is text', () => {
    const id = '0123456789abcdef'
    expect(got(frame(13, 0, [id]))).toMatchObject({ id, message: 'internal error' })
    expect(got(frame(13, 0, ['0123']))).toMatchObject({ id: undefined, message: '0123' })
    expect(got(frame(5, 0, [id]))).toMatchObject({ id: undefined, message: id })
  })

  test('pushback is read; cut short it is a broken rule', () => {
    expect(got('13 00 00000007 0e 08 000003e8 90')).toMatchObject({ retryAfterMs: 1_000 })
    expect(() => got('13 00 00000007 0e 08 0000')).toThrow('[protocol]')
    expect(() => got('13 00 00000007 0e')).toThrow('[protocol]')
  })

  test('META in front of the body is passed over', () => {
    expect(got('13 04 00000007 05 00 0004 81a16101 91a178')).toMatchObject({
      code: 'not_found',
      message: 'x',
    })
    expect(() => got('13 04 00000007 05 00 0099 81')).toThrow('[protocol]')
  })

  test('a declared error has its tag and its data', () => {
    expect(got(frame(9, 4, ['x', 'Full', { seats: 3 }]))).toMatchObject({
      tag: 'Full',
      data: { seats: 3 },
    })
  })

  test.each<readonly [string, number, unknown]>([
    ['without TYPED', 0, ['x', 'Full', { seats: 3 }]],
    ['of another contract', 4, ['x', 'Other', { seats: 3 }]],
    ['that every object has', 4, ['x', 'constructor', { seats: 3 }]],
    ['that is no text', 4, ['x', 1, { seats: 3 }]],
  ])('a tag %s is none', (_, flags, body) => {
    const error = got(frame(9, flags, body))
    expect([error.tag, error.data]).toEqual([undefined, undefined])
    expect(error.message).toBe('x')
  })

  test('a method without declared errors knows no tag', () => {
    const bytes = frame(9, 4, ['x', 'Full', 1])
    const plain = serverStream({ output: T.Integer() })
    expect(readFailure(bytes, 0, bytes.length, limits, plain).tag).toBeUndefined()
  })

  test('NO_RETRY is final', () => {
    const final = (flags: number): boolean => {
      const bytes = frame(14, flags, ['x'])
      return isFinal(bytes, 0, bytes.length)
    }
    expect([final(0), final(1), final(2), final(3)]).toEqual([false, false, true, true])
  })
})

describe('an upload that throws', () => {
  test('an RpcError tells the callee its code and text, nothing else', () => {
    const thrown = new RpcError('aborted', 'why', { tag: 'Full', data: 'secret', cause: 'secret' })
    const { fields, body, error } = failureOfUpload(thrown, 'unknown')
    expect(fields).toEqual({ code: 'aborted', flags: 0 })
    expect(toHex(body)).toBe('91a3776879')
    expect(error).toMatchObject({
      code: 'aborted',
      message: 'why',
      processed: 'unknown',
      tag: 'Full',
    })
  })

  test('anything else is `cancelled` without text; the cause stays here', () => {
    const cause = new Error('secret')
    const { fields, body, error } = failureOfUpload(cause, 'no')
    expect(fields).toEqual({ code: 'cancelled', flags: 0 })
    expect(toHex(body)).toBe('91a0')
    expect(error).toMatchObject({ code: 'cancelled', processed: 'no', cause })
  })
})
