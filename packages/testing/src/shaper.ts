// One direction of a slow line: chunks leave in order, late, and no faster than the line carries them.
//   in  -> chunks as they arrive
//   out -> the same bytes, when the line has carried them
// A chunk is due at `max(arrival + delay, moment when the line is free)`, so that a coarse timer
// loses no bandwidth: whatever is due leaves at each look. Bounded: over `queueBytes` the source is
// not read. What the kernel buffers on either side comes on top.

/** How one direction behaves. */
export interface LineShape {
  /** One way, in milliseconds. Default 0. */
  readonly delayMs?: number | undefined
  /** Default: as fast as it comes. */
  readonly bitsPerSecond?: number | undefined
  /** After so many bytes nothing more leaves, and nobody is told. */
  readonly stallAfterBytes?: number | undefined
  /** After exactly so many bytes both sides see an orderly end. */
  readonly cutAfterBytes?: number | undefined
  /** After exactly so many bytes both sides see a reset. */
  readonly resetAfterBytes?: number | undefined
  /**
   * Bytes leave in pieces of so many, one a turn of the event loop, whatever they came in: 1 splits
   * everything, a large number joins what arrives within `delayMs`.
   */
  readonly chunkBytes?: number | undefined
}

/** Where the bytes go, and what happens to the source. */
export interface LineEnds {
  write(bytes: Uint8Array): void
  pause(): void
  resume(): void
  /** The source had ended, and everything before that has left. */
  end(): void
  cut(): void
  reset(): void
}

interface Waiting {
  readonly bytes: Uint8Array
  readonly dueAt: number
}

const sliceBytes = 16 * 1024
const spareQueue = 64 * 1024

export class Shaper {
  /** Bytes that have left. */
  forwarded = 0
  private shape: LineShape
  private readonly ends: LineEnds
  private readonly now: () => number
  private readonly waiting: Waiting[] = []
  private waitingBytes = 0
  private freeAt = 0
  private ended = false
  private stopped = false
  private stalled = false
  private paused = false
  private lost = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private next: ReturnType<typeof setImmediate> | undefined

  /** `now` in milliseconds. */
  constructor(shape: LineShape, ends: LineEnds, now: () => number = () => performance.now()) {
    this.shape = shape
    this.ends = ends
    this.now = now
  }

  reshape(shape: LineShape): void {
    this.shape = shape
  }

  push(chunk: Uint8Array): void {
    if (this.lost) return
    const { delayMs = 0, bitsPerSecond = Infinity } = this.shape
    const arrival = this.now()
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      const bytes = chunk.subarray(at, at + sliceBytes)
      this.freeAt = Math.max(this.freeAt, arrival) + (bytes.length * 8_000) / bitsPerSecond
      this.waiting.push({ bytes, dueAt: this.freeAt + delayMs })
      this.waitingBytes += bytes.length
    }
    this.pauseWhenFull()
    this.forward()
  }

  finish(): void {
    if (this.lost) return
    this.ended = true
    this.forward()
  }

  stall(): void {
    this.stalled = true
  }

  unstall(): void {
    this.stalled = false
    this.forward()
  }

  /** Whatever comes is taken and thrown away, the end too: nobody is told. */
  lose(): void {
    this.lost = true
    this.waiting.length = this.waitingBytes = 0
    this.pauseWhenFull()
  }

  /** Nothing leaves any more. */
  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    clearImmediate(this.next)
    this.waiting.length = 0
  }

  private pauseWhenFull(): void {
    const { delayMs = 0, bitsPerSecond = Infinity } = this.shape
    const onTheWay = bitsPerSecond === Infinity ? Infinity : (delayMs * bitsPerSecond) / 8_000
    const full = this.waitingBytes > (onTheWay === Infinity ? 1024 * 1024 : onTheWay) + spareQueue
    if (full === this.paused) return
    this.paused = full
    if (full) this.ends.pause()
    else this.ends.resume()
  }

  private readonly forward = (): void => {
    clearTimeout(this.timer)
    clearImmediate(this.next)
    const now = this.now()
    const { chunkBytes = Infinity } = this.shape
    while (!this.stopped && !this.stalled && this.waiting.length > 0) {
      const { dueAt } = this.waiting[0]!
      if (dueAt > now) {
        this.timer = setTimeout(this.forward, Math.max(1, dueAt - now))
        break
      }
      const piece = chunkBytes === Infinity ? this.shift() : this.shiftPiece(chunkBytes, now)
      this.carry(piece)
      if (chunkBytes !== Infinity && this.waiting.length > 0) {
        this.next = setImmediate(this.forward)
        break
      }
    }
    if (this.stopped) return
    this.pauseWhenFull()
    if (this.ended && this.waiting.length === 0) this.ends.end()
  }

  private shift(): Uint8Array {
    const { bytes } = this.waiting.shift()!
    this.waitingBytes -= bytes.length
    return bytes
  }

  /** So many bytes of what is due, from as many chunks as it takes. */
  private shiftPiece(size: number, now: number): Uint8Array {
    const parts: Uint8Array[] = []
    let missing = size
    while (missing > 0 && this.waiting.length > 0 && this.waiting[0]!.dueAt <= now) {
      const { bytes, dueAt } = this.waiting[0]!
      if (bytes.length <= missing) parts.push(this.shift())
      else {
        parts.push(bytes.subarray(0, missing))
        this.waiting[0] = { bytes: bytes.subarray(missing), dueAt }
        this.waitingBytes -= missing
      }
      missing -= parts.at(-1)!.length
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  private carry(bytes: Uint8Array): void {
    const { stallAfterBytes, cutAfterBytes, resetAfterBytes } = this.shape
    const last = Math.min(
      stallAfterBytes ?? Infinity,
      cutAfterBytes ?? Infinity,
      resetAfterBytes ?? Infinity,
    )
    const allowed = bytes.subarray(0, Math.max(0, last - this.forwarded))
    this.forwarded += allowed.length
    if (allowed.length > 0) this.ends.write(allowed)
    if (this.forwarded < last) return
    this.stalled = true
    if (last === cutAfterBytes) this.ends.cut()
    else if (last === resetAfterBytes) this.ends.reset()
  }
}
