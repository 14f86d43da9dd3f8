// The u32 length prefix in front of every frame on a byte stream.
//   in  -> chunks of bytes, cut anywhere
//   out -> whole frames as ranges; ConnectionError for a length that cannot be
// The length is compared on its four bytes, before any byte of the frame is kept: `GET ` reads as
// 1.2 GB and a TLS hello as 369 MB, so a stranger is refused at byte 4.

import { ConnectionError, protocolError } from '../base/errors.ts'
import { headerBytes, readU32 } from './frame.ts'

/** Bytes of the prefix. */
export const prefixBytes = 4

export class PrefixParser {
  private readonly maxFrame: number
  private most: number
  private readonly onFrame: (buffer: Uint8Array, start: number, end: number) => void
  private readonly prefix = new Uint8Array(prefixBytes)
  private prefixLength = 0
  /** The frame that is being collected; grows with what has come, not with what was announced. */
  private frame: Uint8Array | undefined
  private length = 0
  private size = 0
  private held: Uint8Array[] = []
  /** Set by `pause` and `resume` only. */
  paused = false
  private parsing = false

  /**
   * `maxFrame` in bytes; `maxFirst` holds for the first frame instead. `onFrame` borrows its range
   * until it returns.
   */
  constructor(
    maxFrame: number,
    onFrame: (buffer: Uint8Array, start: number, end: number) => void,
    maxFirst: number = maxFrame,
  ) {
    this.maxFrame = maxFrame
    this.most = Math.min(maxFirst, maxFrame)
    this.onFrame = onFrame
  }

  /** True while a frame has begun and not ended. */
  get pending(): boolean {
    return this.prefixLength > 0 || this.frame !== undefined
  }

  /** True while chunks wait for `resume`. */
  get waiting(): boolean {
    return this.held.length > 0
  }

  /** Takes a chunk, which may be changed after this returns unless the parser is paused. */
  push(chunk: Uint8Array): void {
    if (this.paused || this.parsing) this.held.push(chunk)
    else this.parse(chunk)
  }

  /** Nothing is delivered any more until `resume`; also in the middle of a chunk. */
  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    while (!this.paused && !this.parsing && this.held.length > 0) this.parse(this.held.shift()!)
  }

  private parse(chunk: Uint8Array): void {
    this.parsing = true
    let at = 0
    try {
      while (at < chunk.length && !this.paused) at = this.step(chunk, at)
    } finally {
      this.parsing = false
    }
    if (at < chunk.length) this.held.unshift(chunk.subarray(at))
  }

  /** Consumes one piece of a frame, or a whole one. Answers where the next begins. */
  private step(chunk: Uint8Array, at: number): number {
    if (this.frame !== undefined) return this.collect(chunk, at)
    if (this.prefixLength === 0 && chunk.length - at >= prefixBytes) {
      const size = this.check(readU32(chunk, at))
      const start = at + prefixBytes
      if (chunk.length - start >= size) {
        this.onFrame(chunk, start, start + size)
        return start + size
      }
      return this.begin(size, chunk, start)
    }
    while (this.prefixLength < prefixBytes && at < chunk.length) {
      this.prefix[this.prefixLength] = chunk[at]!
      this.prefixLength += 1
      at += 1
    }
    if (this.prefixLength < prefixBytes) return at
    this.prefixLength = 0
    return this.begin(this.check(readU32(this.prefix, 0)), chunk, at)
  }

  private check(size: number): number {
    if (size > this.most) throw this.tooLong()
    if (size < headerBytes) throw protocolError('frame shorter than its header')
    this.most = this.maxFrame
    return size
  }

  private tooLong(): ConnectionError {
    const limit = this.most < this.maxFrame ? 'maxHello' : 'maxFrame'
    return new ConnectionError('protocol', `frame over limits.${limit} (${this.most})`, limit)
  }

  private begin(size: number, chunk: Uint8Array, at: number): number {
    this.size = size
    this.length = 0
    this.frame = new Uint8Array(Math.min(size, Math.max(1024, 2 * (chunk.length - at))))
    return at < chunk.length ? this.collect(chunk, at) : at
  }

  private collect(chunk: Uint8Array, at: number): number {
    let frame = this.frame!
    const end = Math.min(chunk.length, at + this.size - this.length)
    const length = this.length + end - at
    if (length > frame.length) {
      const grown = new Uint8Array(Math.min(this.size, Math.max(length, 2 * frame.length)))
      grown.set(frame.subarray(0, this.length))
      this.frame = frame = grown
    }
    frame.set(chunk.subarray(at, end), this.length)
    this.length = length
    if (length === this.size) {
      this.frame = undefined
      this.onFrame(frame, 0, length)
    }
    return end
  }
}
