// RFC 6455 for the raw peer, as little as it takes: no line is shared with Callbox.
//   in  -> messages; bytes of a socket
//   out -> WebSocket frames with any opcode and flag; messages, control frames
// Follows no rule by itself: answers no ping, sends no close.

import { createHash, randomBytes } from 'node:crypto'

/** One WebSocket frame as it came, unmasked. */
export interface RawWebSocketFrame {
  readonly opcode: number
  readonly fin: boolean
  readonly masked: boolean
  readonly payload: Uint8Array
}

export interface RawWebSocketOptions {
  /** Default 2, binary. */
  readonly opcode?: number
  readonly fin?: boolean
  /** As a client must and a server must not. */
  readonly masked: boolean
  /** Bits 0x40, 0x20, 0x10. */
  readonly rsv?: number
}

/** One frame, right or wrong. */
export function webSocketFrame(payload: Uint8Array, options: RawWebSocketOptions): Uint8Array {
  const { opcode = 2, fin = true, masked, rsv = 0 } = options
  const size = payload.length
  const length =
    size < 126
      ? [size]
      : size < 65_536
        ? [126, size >>> 8, size & 0xff]
        : [127, 0, 0, 0, 0, size >>> 24, (size >>> 16) & 0xff, (size >>> 8) & 0xff, size & 0xff]
  length[0]! |= masked ? 0x80 : 0
  const head = Buffer.from([(fin ? 0x80 : 0) | rsv | opcode, ...length])
  if (!masked) return Buffer.concat([head, payload])
  const mask = randomBytes(4)
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ mask[at % 4]!)])
}

/** The first frame of `bytes` and what lies behind it; undefined while it is not whole. */
export function readWebSocketFrame(
  bytes: Buffer,
): { readonly frame: RawWebSocketFrame; readonly rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined
  const masked = (bytes[1]! & 0x80) !== 0
  let size = bytes[1]! & 0x7f
  let at = 2
  if (size === 126) {
    if (bytes.length < 4) return undefined
    size = bytes.readUInt16BE(2)
    at = 4
  } else if (size === 127) {
    if (bytes.length < 10) return undefined
    size = Number(bytes.readBigUInt64BE(2))
    at = 10
  }
  const body = at + (masked ? 4 : 0)
  if (bytes.length < body + size) return undefined
  const payload = Uint8Array.from(bytes.subarray(body, body + size))
  if (masked) payload.forEach((byte, index) => (payload[index] = byte ^ bytes[at + (index % 4)]!))
  const fin = (bytes[0]! & 0x80) !== 0
  return {
    frame: { opcode: bytes[0]! & 0x0f, fin, masked, payload },
    rest: bytes.subarray(body + size),
  }
}

/** A good upgrade request, with headers changed; undefined takes one out. */
export function upgradeRequest(
  host: string,
  path = '/',
  headers: Readonly<Record<string, string | undefined>> = {},
): string {
  const all: Record<string, string | undefined> = {
    'Host': host,
    'Upgrade': 'websocket',
    'Connection': 'Upgrade',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': 'callbox.v1',
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** The answer that accepts a request. Throws Error if it has no key. */
export function upgradeAnswer(request: string): string {
  const key = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1]
  if (key === undefined) throw new Error('no Sec-WebSocket-Key')
  const accept = createHash('sha1')
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    'Sec-WebSocket-Protocol: callbox.v1',
    '\r\n',
  ].join('\r\n')
}
