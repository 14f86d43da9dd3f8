// The frozen bytes of `tests/golden`: what this version writes and reads, byte for byte.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { resolveLimits } from '../base/limits.ts'
import { encodeMessage, cutFragment, writeHead, type Head } from '../calls/message.ts'
import { msgpackCodec } from '../codec/msgpack.ts'
import { encodeValue } from '../codec/msgpack-value.ts'
import { ByteSink } from '../codec/sink.ts'
import {
  ackFrame,
  cancelFrame,
  creditFrame,
  endFrame,
  ErrorFlag,
  errorFrame,
  goAwayFrame,
  helloFrame,
  limitsFrame,
  MessageFields,
  parseError,
  parseHello,
  parseWelcome,
  pingFrame,
  welcomeFrame,
  type Frame,
} from './fields.ts'
import { checkHeader, Flag, FrameType } from './frame.ts'
import { PrefixParser } from './prefix.ts'

const file = readFileSync(new URL('../../../../tests/golden/frames.txt', import.meta.url), 'utf8')
const golden = new Map(
  file
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [name = '', ...bytes] = line.split(/ +/)
      return [name, bytes.join('')] as const
    }),
)

const limits = resolveLimits()
const codec = msgpackCodec(limits).of(undefined)
const opaque = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const nameOf = (name: string): Uint8Array => Buffer.from(name)
const emptyMap = Uint8Array.of(0x80)

function hexOf({ buffer, start, end }: Frame): string {
  return Buffer.from(buffer.subarray(start, end)).toString('hex')
}

function message(head: Partial<Head>, value: unknown, meta?: Uint8Array): string {
  const encoded = encodeMessage(new ByteSink(), codec, value, meta)
  const start = writeHead(encoded, { type: FrameType.Data, flags: 0, id: 3, ...head })
  return hexOf({ buffer: encoded.buffer, start, end: encoded.end })
}

/** The part of the message "hi!!" from one byte to another. */
function fragment(from: number, to: number, head: Partial<Head>): string {
  const encoded = encodeMessage(new ByteSink(), codec, 'hi!!')
  const { buffer, start } = cutFragment(encoded, encoded.start + from, encoded.start + to, {
    type: FrameType.Data,
    flags: 0,
    id: 3,
    ...head,
  })
  return hexOf({ buffer, start, end: buffer.length })
}

const request = { type: FrameType.Request, method: 1 }
const built: Readonly<Record<string, () => string>> = {
  'hello': () => hexOf(helloFrame(emptyMap)),
  'welcome': () => hexOf(welcomeFrame(encodeValue({ codec: 'msgpack' }))),
  'ping': () => hexOf(pingFrame(FrameType.Ping, opaque, 258)),
  'pong': () => hexOf(pingFrame(FrameType.Pong, opaque, 258)),
  'ack': () => hexOf(ackFrame(2 ** 32 - 1)),
  'goaway-closed': () => hexOf(goAwayFrame('closed', 7, emptyMap)),
  'goaway-drain': () => hexOf(goAwayFrame('unavailable', 0, encodeValue({ reason: 'drain' }))),
  'limits': () => hexOf(limitsFrame(encodeValue({ maxCalls: 8 }))),
  'request': () => message(request, 'hi'),
  'request-end': () => message({ ...request, flags: Flag.End }, 'hi'),
  'request-deadline': () => message({ ...request, flags: Flag.End, deadlineMs: 30_000 }, 'hi'),
  'request-meta': () => message({ ...request, flags: Flag.End }, 'hi', encodeValue({ a: 'b' })),
  'request-named': () => message({ ...request, flags: Flag.End, method: nameOf('s.m') }, 'hi'),
  'request-more': () => fragment(0, 2, { ...request, flags: Flag.More }),
  'request-all': () =>
    message(
      { ...request, flags: Flag.End, method: nameOf('s.m'), deadlineMs: 30_000 },
      'hi',
      emptyMap,
    ),
  'data': () => message({}, 'hi'),
  'data-end': () => message({ flags: Flag.End }, 'hi'),
  'data-meta': () => message({}, 'hi', emptyMap),
  'data-more': () => fragment(0, 2, { flags: Flag.More }),
  'data-cont-more': () => fragment(2, 3, { flags: Flag.Cont | Flag.More }),
  'data-cont-end': () => fragment(3, 5, { flags: Flag.Cont | Flag.End }),
  'data-empty': () => message({}, undefined),
  'end': () => hexOf(endFrame(3)),
  'error': () => hexOf(errorFrame(3, { code: 'internal', flags: 0 }, encodeValue(['x']))),
  'error-pushback': () =>
    hexOf(
      errorFrame(
        3,
        { code: 'unavailable', flags: ErrorFlag.NotProcessed, retryAfterMs: 250 },
        encodeValue(['']),
      ),
    ),
  'error-typed': () =>
    hexOf(
      errorFrame(
        3,
        { code: 'failed_precondition', flags: ErrorFlag.Typed },
        encodeValue(['m', 'Tag', { n: 1 }]),
      ),
    ),
  'cancel': () => hexOf(cancelFrame(3, 'cancelled')),
  'cancel-deadline': () => hexOf(cancelFrame(3, 'deadline_exceeded')),
  'credit': () => hexOf(creditFrame(3, 65_536)),
  'credit-events': () => hexOf(creditFrame(0, 65_536)),
  'notify': () => message({ type: FrameType.Notify, id: 0, method: 2 }, 'hi'),
  'notify-named': () =>
    message({ type: FrameType.Notify, id: 0, method: nameOf('s.e') }, 'hi', emptyMap),
}

test('[case C1] every golden frame is built by a test, and the other way round', () => {
  expect([...golden.keys()].toSorted()).toEqual(Object.keys(built).toSorted())
})

describe('[case C1] what this side writes', () => {
  test.each(Object.entries(built))('%s', (name, build) => {
    expect(build()).toBe(golden.get(name))
  })
})

/** What a reader understands of a frame, as plain values. */
function read(hex: string): unknown {
  const bytes = Buffer.from(hex, 'hex')
  const [type = 0, flags = 0] = bytes
  checkHeader(type, flags)
  switch (type) {
    case FrameType.Hello:
      return { map: parseHello(bytes, 0, bytes.length) }
    case FrameType.Welcome:
      return { map: parseWelcome(bytes, 0, bytes.length) }
    case FrameType.Error:
      return parseError(bytes, 0, bytes.length)
    case FrameType.Request:
    case FrameType.Data:
    case FrameType.Notify: {
      const fields = new MessageFields()
      fields.parse(bytes, 0, bytes.length)
      const { method, deadlineMs, total, metaStart, metaEnd, payloadStart, nameStart, nameEnd } =
        fields
      const name = method === -1 ? bytes.toString('latin1', nameStart, nameEnd) : ''
      return {
        method,
        name,
        deadlineMs,
        total,
        meta: metaEnd - metaStart,
        payload: bytes.length - payloadStart,
      }
    }
    default:
      return bytes.length
  }
}

test('[case C1] what this side reads', () => {
  expect(Object.fromEntries([...golden].map(([name, hex]) => [name, read(hex)]))).toMatchObject({
    'hello': { map: 14 },
    'welcome': { map: 10 },
    'request': { method: 1, deadlineMs: -1, total: -1, meta: 0, payload: 3 },
    'request-all': { method: -1, name: 's.m', deadlineMs: 30_000, total: -1, meta: 1, payload: 3 },
    'request-more': { method: 1, total: 5, payload: 2 },
    'data-cont-more': { total: -1, payload: 1 },
    'data-empty': { payload: 0 },
    'error-pushback': { code: 14, flags: 9, retryAfterMs: 250, bodyStart: 12 },
    'error-typed': { code: 9, flags: 4, retryAfterMs: undefined, bodyStart: 8 },
    'notify-named': { name: 's.e', meta: 1, payload: 3 },
  })
})

test('[case C2] all of them behind prefixes, one byte a chunk', () => {
  const seen: string[] = []
  const parser = new PrefixParser(66_560, (buffer, start, end) => {
    seen.push(Buffer.from(buffer.subarray(start, end)).toString('hex'))
  })
  for (const hex of golden.values()) {
    const prefix = (hex.length / 2).toString(16).padStart(8, '0')
    for (const byte of Buffer.from(prefix + hex, 'hex')) parser.push(Uint8Array.of(byte))
  }
  expect(seen).toEqual([...golden.values()])
})

describe('[case C10] flags that a type does not define', () => {
  const known = Object.entries(FrameType)
  test.each(known)('%s refuses COMPRESSED and IGNORABLE', (_, type) => {
    expect(() => checkHeader(type, Flag.Compressed)).toThrow('[protocol]')
    expect(() => checkHeader(type, Flag.Ignorable)).toThrow('[protocol]')
  })

  test('END and MORE, CONT and META exclude each other', () => {
    expect(() => checkHeader(FrameType.Data, Flag.End | Flag.More)).toThrow('[protocol]')
    expect(() => checkHeader(FrameType.Data, Flag.Cont | Flag.Meta)).toThrow('[protocol]')
  })
})

test('[case C9] an unknown type is skipped with IGNORABLE and refused without', () => {
  expect(checkHeader(0x60, Flag.Ignorable)).toBe(false)
  expect(() => checkHeader(0x60, 0)).toThrow('[protocol]')
  expect(() => checkHeader(0x60, Flag.Ignorable | Flag.Compressed)).toThrow('[protocol]')
})

test('a frame that ends inside its fields is refused, at every length', () => {
  for (const name of ['request-all', 'request-more', 'notify-named', 'data-more']) {
    const bytes = Buffer.from(golden.get(name)!, 'hex')
    const fields = new MessageFields()
    fields.parse(bytes, 0, bytes.length)
    for (let end = 6; end < fields.payloadStart; end += 1)
      expect(() => fields.parse(bytes, 0, end), `${name} cut at ${end}`).toThrow('[protocol]')
  }
})
