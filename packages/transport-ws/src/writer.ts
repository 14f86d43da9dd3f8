// WebSocket frame headers and control frames (RFC 6455, section 5.2).
//   in  -> an opcode, a payload
//   out -> bytes

import { Bit, isCloseCode, Opcode } from './opcode.ts'
import { mask } from './mask.ts'

/** Bytes of the longest header: 2, 8 of length, 4 of mask. */
export const longestHeader = 14

/** Bytes of the header of an unfragmented frame. */
export function headerBytesFor(size: number, masked: boolean): number {
  return (size < 126 ? 2 : size < 65_536 ? 4 : 10) + (masked ? 4 : 0)
}

/**
 * Writes the header of an unfragmented frame at `at`; `key` is absent on a server. `opcode` may carry
 * RSV1. Answers its end.
 */
export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  opcode: number,
  size: number,
  key: number | undefined,
): number {
  const bit = key === undefined ? 0 : 0x80
  bytes[at] = Bit.Fin | opcode
  let next = at + 2
  if (size < 126) bytes[at + 1] = bit | size
  else if (size < 65_536) {
    bytes[at + 1] = bit | 126
    bytes[at + 2] = size >>> 8
    bytes[at + 3] = size
    next = at + 4
  } else {
    bytes[at + 1] = bit | 127
    writeWord(bytes, at + 2, Math.floor(size / 0x1_0000_0000))
    writeWord(bytes, at + 6, size >>> 0)
    next = at + 10
  }
  if (key === undefined) return next
  writeWord(bytes, next, key)
  return next + 4
}

function writeWord(bytes: Uint8Array, at: number, value: number): void {
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

/** A close frame with its code, and at most 123 bytes of reason in UTF-8 (section 5.5.1). */
export function closeFrame(code: number, key: number | undefined, reason = ''): Uint8Array {
  if (!isCloseCode(code)) return controlFrame(Opcode.Close, new Uint8Array(0), key)
  const text = Buffer.from(reason)
  const payload = new Uint8Array(2 + text.length)
  payload[0] = code >>> 8
  payload[1] = code
  payload.set(text, 2)
  return controlFrame(Opcode.Close, payload, key)
}
