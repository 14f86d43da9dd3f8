// Whether bytes are UTF-8 (RFC 3629), told at the first byte that cannot be.
//   in  -> pieces of a text, cut anywhere
//   out -> false from the first wrong byte on; text

import { isUtf8 } from 'node:buffer'
import { CloseCode, WebSocketError } from './opcode.ts'

/** From this on the runtime's own check of a whole piece is faster than one byte after the other. */
const bulkFrom = 96

/** Checks a text that arrives in pieces (RFC 6455, section 8.1). */
export class Utf8Checker {
  /** Bytes that the character begun still needs. */
  private needed = 0
  /** What the next of them may be: narrower after E0, ED, F0 and F4. */
  private lower = 0x80
  private upper = 0xbf

  /** False: no text begins with the bytes so far. */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start
    while (this.needed > 0 && at < end) {
      if (!this.step(bytes[at]!)) return false
      at += 1
    }
    if (end - at >= bulkFrom) {
      const cut = wholeUntil(bytes, end)
      if (!isUtf8(bytes.subarray(at, cut))) return false
      at = cut
    }
    for (; at < end; at += 1) if (!this.step(bytes[at]!)) return false
    return true
  }

  /** Whether the text may end here. */
  get complete(): boolean {
    return this.needed === 0
  }

  reset(): void {
    this.needed = 0
    this.lower = 0x80
    this.upper = 0xbf
  }

  private step(byte: number): boolean {
    if (this.needed === 0) return byte < 0x80 || this.begin(byte)
    if (byte < this.lower || byte > this.upper) return false
    this.needed -= 1
    this.lower = 0x80
    this.upper = 0xbf
    return true
  }

  /** The first byte of a character says how many follow; overlong forms and surrogates end here. */
  private begin(byte: number): boolean {
    if (byte < 0xc2 || byte > 0xf4) return false
    this.needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    if (byte === 0xe0) this.lower = 0xa0
    if (byte === 0xed) this.upper = 0x9f
    if (byte === 0xf0) this.lower = 0x90
    if (byte === 0xf4) this.upper = 0x8f
    return true
  }
}

/** Where the last character that may be unfinished begins: at most three bytes before the end. */
function wholeUntil(bytes: Uint8Array, end: number): number {
  for (let back = 1; back <= 3; back += 1) {
    const byte = bytes[end - back]!
    if (byte < 0x80) return end - back + 1
    if (byte >= 0xc0) return end - back
  }
  return end
}

/** A text that is here as a whole. Throws WebSocketError 1007 if it is none. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = buffer.toString('utf8', start, end)
  // What is no UTF-8 becomes U+FFFD; where there is one, it may also have been sent.
  if (text.includes('\uFFFD') && !isUtf8(buffer.subarray(start, end)))
    throw new WebSocketError(CloseCode.InvalidPayload, 'text that is not UTF-8')
  return text
}
