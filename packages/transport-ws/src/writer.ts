// WebSocket frame headers and control frames (RFC 6455, section 5.2).
//   in  -> an opcode, a payload
//   out -> bytes

import { isCloseCode, Opcode } from './opcode.ts'
import { mask } from './mask.ts'

/** Bytes of the header of an unfragmented frame. */
export function headerBytesFor(size: number, masked: boolean): number {
  return (size < 126 ? 2 : size < 65_536 ? 4 : 10) + (masked ? 4 : 0)
}

/** Writes the header of an unfragmented frame at `at`; `key` is absent on a server. Answers its end. */
export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  opcode: number,
  size: number,
  key: number | undefined,
): number {
  const bit = key === undefined ? 0 : 0x80
  bytes[at] = 0x80 | opcode
  let next = at + 2
  if (size < 126) bytes[at + 1] = bit | size
  else if (size < 65_536) {
    bytes[at + 1] = bit | 126
    bytes[at + 2] = size >>> 8
    bytes[at + 3] = size
    next = at + 4
  } else {
    bytes[at + 1] = bit | 127
    // Sizes stay far below 2^32 here.
    for (let index = 2; index < 6; index += 1) bytes[at + index] = 0
    writeKey(bytes, at + 6, size)
    next = at + 10
  }
  if (key === undefined) return next
  writeKey(bytes, next, key)
  return next + 4
}

function writeKey(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** A whole control frame; the payload is at most 125 bytes. */
export function controlFrame(
  opcode: number,
  payload: Uint8Array,
  key: number | undefined,
): Uint8Array {
  const frame = new Uint8Array(headerBytesFor(payload.length, key !== undefined) + payload.length)
  const at = writeFrameHeader(frame, 0, opcode, payload.length, key)
  frame.set(payload, at)
  if (key !== undefined) mask(frame, at, frame.length, key)
  return frame
}

/** A close frame with its code. */
export function closeFrame(code: number, key: number | undefined): Uint8Array {
  const payload = isCloseCode(code) ? Uint8Array.of(code >>> 8, code & 0xff) : new Uint8Array(0)
  return controlFrame(Opcode.Close, payload, key)
}
