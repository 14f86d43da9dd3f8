// Frames of the wire for the raw peer, written down a second time: no line is shared with Callbox.
//   in  -> numbers, bytes, values
//   out -> frames without a prefix; their parts
// Builds what is asked for, right or wrong.

import { fromMsgpack, toMsgpack } from './raw-msgpack.ts'

/** Bytes of hex digits; white space is free. Throws Error for anything else. */
export function hex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, '')
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hex: ${text}`)
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value)
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** A frame with its u32 length in front, as on TCP. */
export function prefixed(frame: Uint8Array): Uint8Array {
  return joined(u32(frame.length), frame)
}

/** The header, then whatever is given. */
export function rawFrame(
  type: number,
  flags: number,
  id: number,
  ...body: Uint8Array[]
): Uint8Array {
  return joined(Uint8Array.of(type, flags), u32(id), ...body)
}

const limits = {
  maxFrame: 66_560,
  maxMessage: 4_194_304,
  maxMeta: 8_192,
  maxCalls: 256,
  window: 262_144,
}

/** A good HELLO, with parts of its map changed. */
export function rawHello(map: Readonly<Record<string, unknown>> = {}): Uint8Array {
  const client = { name: 'raw', version: '1' }
  const all = { client, contracts: [], codecs: ['msgpack'], caps: 0, limits, ...map }
  return rawFrame(0x01, 0, 0, hex('43424f58 01 00 00 00'), toMsgpack(all))
}

/** A good WELCOME, with parts of its map changed. */
export function rawWelcome(map: Readonly<Record<string, unknown>> = {}): Uint8Array {
  const server = { name: 'raw', version: '1', epoch: 'raw' }
  const keepalive = { intervalMs: 15_000, timeoutMs: 10_000 }
  const rest = { codec: 'msgpack', caps: 0, limits, resumed: false, received: 0, keepalive }
  return rawFrame(0x02, 0, 0, hex('01 00 0000'), toMsgpack({ server, ...rest, ...map }))
}

export interface RawCall {
  readonly id: number
  /** By name: `service.method`; by number: the method id. */
  readonly method: string | number
  /** Left out: an empty payload. */
  readonly value?: unknown
  /** No END: more will come from the caller. */
  readonly open?: boolean
  readonly deadlineMs?: number
}

/** A REQUEST of one frame. */
export function rawRequest({ id, method, value, open = false, deadlineMs }: RawCall): Uint8Array {
  const named = typeof method === 'string'
  const name = named ? new TextEncoder().encode(method) : u16(method)
  const flags = (open ? 0 : 0x02) | (named ? 0x08 : 0) | (deadlineMs === undefined ? 0 : 0x10)
  const parts = [
    ...(named ? [Uint8Array.of(name.length)] : []),
    name,
    ...(deadlineMs === undefined ? [] : [u32(deadlineMs)]),
    payload(value),
  ]
  return rawFrame(0x10, flags, id, ...parts)
}

/** A DATA of one frame; `end` closes this direction. */
export function rawData(id: number, value: unknown, end = false): Uint8Array {
  return rawFrame(0x11, end ? 0x02 : 0, id, payload(value))
}

export function rawEnd(id: number): Uint8Array {
  return rawFrame(0x12, 0, id)
}

export function rawError(id: number, code: number, flags = 0, message = ''): Uint8Array {
  return rawFrame(0x13, 0, id, Uint8Array.of(code, flags), toMsgpack([message]))
}

export function rawCancel(id: number, code = 1): Uint8Array {
  return rawFrame(0x14, 0, id, Uint8Array.of(code))
}

export function rawCredit(id: number, bytes: number): Uint8Array {
  return rawFrame(0x15, 0, id, u32(bytes))
}

export function rawNotify(method: string, value?: unknown): Uint8Array {
  const name = new TextEncoder().encode(method)
  return rawFrame(0x16, 0x08, 0, Uint8Array.of(name.length), name, payload(value))
}

export function rawPing(opaque = '0102030405060708', received = 0): Uint8Array {
  return rawFrame(0x03, 0, 0, hex(opaque), u32(received))
}

export function rawAck(received: number): Uint8Array {
  return rawFrame(0x05, 0, 0, u32(received))
}

export function rawGoAway(code: number, lastAcceptedId = 0, map: object = {}): Uint8Array {
  return rawFrame(0x06, 0, 0, Uint8Array.of(code, 0, 0, 0), u32(lastAcceptedId), toMsgpack(map))
}

function payload(value: unknown): Uint8Array {
  return value === undefined ? new Uint8Array() : toMsgpack(value)
}

/** A frame taken apart at its header. */
export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  /** What follows the header. */
  readonly body: Uint8Array
}

/** Throws Error for less than 6 bytes. */
export function partsOf(frame: Uint8Array): RawFrame {
  if (frame.length < 6) throw new Error(`a frame of ${frame.length} bytes`)
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  return { type: frame[0]!, flags: frame[1]!, id: view.getUint32(2), body: frame.subarray(6) }
}

/** The payload of a DATA of one frame without metadata; undefined if it is empty. */
export function valueOf({ body }: RawFrame): unknown {
  return body.length === 0 ? undefined : fromMsgpack(body)
}

/** A GOAWAY taken apart. */
export function goAwayOf({ body }: RawFrame): {
  code: number
  lastAcceptedId: number
  map: unknown
} {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  return { code: body[0]!, lastAcceptedId: view.getUint32(4), map: fromMsgpack(body.subarray(8)) }
}

/** An ERROR without metadata taken apart. */
export function errorOf({ body }: RawFrame): {
  code: number
  flags: number
  retryAfterMs: number | undefined
  body: unknown
} {
  const flags = body[1]!
  const pushback = (flags & 8) !== 0
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  return {
    code: body[0]!,
    flags,
    retryAfterMs: pushback ? view.getUint32(2) : undefined,
    body: fromMsgpack(body.subarray(pushback ? 6 : 2)),
  }
}
