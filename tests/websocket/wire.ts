// RFC 6455 for the cases, written for them alone: no line is shared with Callbox.
//   in  -> frames, right or wrong
//   out -> their bytes
//
//    0               1               2               4          12
//   +-+-+-+-+-------+-+-------------+---------------+----------+---------+
//   |F|R|R|R| opcode|M| 7 bit length| 0, 2 or 8 bytes of length | 4 of key| payload
//   +-+-+-+-+-------+-+-------------+---------------+----------+---------+

import { createHash } from 'node:crypto'

/** Who is tested. The runner plays the other one. */
export type Role = 'server' | 'client'

export const Opcode = {
  Continuation: 0,
  Text: 1,
  Binary: 2,
  Close: 8,
  Ping: 9,
  Pong: 10,
} as const

export interface Frame {
  /** Any of the 16. */
  readonly opcode: number
  /** Default true. */
  readonly fin?: boolean
  /** 4: RSV1, 2: RSV2, 1: RSV3. Default 0. */
  readonly rsv?: number
  readonly payload?: Uint8Array
  /** Bits of the length field; default the fewest that do. */
  readonly form?: 7 | 16 | 64
  /** The announced length; default that of the payload. */
  readonly length?: bigint
  /** Default: as the role of the runner demands. */
  readonly masked?: boolean
  /** Default `37 fa 21 3d`, the key of the examples in RFC 6455. */
  readonly key?: readonly [number, number, number, number]
}

const exampleKey = [0x37, 0xfa, 0x21, 0x3d] as const

/** The bytes of a frame for whoever has that role. */
export function encodeFrame(frame: Frame, to: Role): Uint8Array {
  const { opcode, fin = true, rsv = 0, payload = new Uint8Array(0), key = exampleKey } = frame
  const length = frame.length ?? BigInt(payload.length)
  const masked = frame.masked ?? to === 'server'
  const form = frame.form ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64)
  const head = Buffer.alloc(2 + (form === 7 ? 0 : form / 8))
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  head[1] = (masked ? 0x80 : 0) | (form === 7 ? Number(length) : form === 16 ? 126 : 127)
  if (form === 16) head.writeUInt16BE(Number(length), 2)
  if (form === 64) head.writeBigUInt64BE(length, 2)
  if (!masked) return Buffer.concat([head, payload])
  return Buffer.concat([head, Uint8Array.from(key), payload.map((byte, at) => byte ^ key[at % 4]!)])
}

/** One frame as it was received, unmasked. */
export interface ReceivedFrame {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  /** Undefined: not masked. */
  readonly key: Uint8Array | undefined
  readonly payload: Uint8Array
  /** Bits of its length field. */
  readonly form: 7 | 16 | 64
}

/** Takes the first whole frame off `bytes`; undefined while there is none. */
export function decodeFrame(
  bytes: Buffer,
): { readonly frame: ReceivedFrame; readonly size: number } | undefined {
  if (bytes.length < 2) return undefined
  const short = bytes[1]! & 0x7f
  const form = short === 126 ? 16 : short === 127 ? 64 : 7
  const keyAt = 2 + (form === 7 ? 0 : form / 8)
  if (bytes.length < keyAt) return undefined
  const length =
    form === 7 ? short : form === 16 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  const masked = (bytes[1]! & 0x80) !== 0
  const from = keyAt + (masked ? 4 : 0)
  if (bytes.length < from + length) return undefined
  const payload = Uint8Array.from(bytes.subarray(from, from + length))
  const key = masked ? Uint8Array.from(bytes.subarray(keyAt, from)) : undefined
  if (key !== undefined) payload.forEach((byte, at) => (payload[at] = byte ^ key[at % 4]!))
  const fin = (bytes[0]! & 0x80) !== 0
  const rsv = (bytes[0]! >> 4) & 7
  const opcode = bytes[0]! & 0x0f
  return { frame: { opcode, fin, rsv, key, payload, form }, size: from + length }
}

/** Key of the example in RFC 6455, section 1.3. */
export const sampleKey = 'dGhlIHNhbXBsZSBub25jZQ=='

/** Section 4.2.2: what a server makes of a key. */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

/** Bytes of a hex text; spaces are for the reader. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

/** Bytes of a text in UTF-8. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** A line for reports: the first bytes in hex, and how many there are. */
export function show(bytes: Uint8Array): string {
  const first = Buffer.from(bytes.subarray(0, 24))
    .toString('hex')
    .replaceAll(/(..)(?=.)/g, '$1 ')
  return bytes.length > 24 ? `${first} … (${bytes.length} bytes)` : `${first} (${bytes.length})`
}
