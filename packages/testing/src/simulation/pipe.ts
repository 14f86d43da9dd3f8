// One direction of a connection: bytes in order, in random pieces, late, as far as there is room.
//   in  -> ranges of bytes; an end; faults
//   out -> chunks and the end, to whoever reads; room, to whoever writes
// As in a kernel, what was sent and not read yet takes room; what finds none waits at the sender.

import { Queue } from '@callbox/core/internal'
import type { Random } from './random.ts'
import { EventKind, type Owner, type Scheduler } from './scheduler.ts'

/** How a line treats bytes. */
export interface LineProfile {
  /** Least and largest delay of a piece, one way, in milliseconds. */
  readonly delayMs: readonly [least: number, most: number]
  /** Bytes that may be on the way or unread in each direction. */
  readonly capacity: number
  /** Largest piece in bytes; half of all pieces have 1 to 7. 1: every byte comes alone. */
  readonly maxPiece: number
}

/** A range of bytes that the sender keeps unchanged until it has left. */
export interface ByteRange {
  readonly buffer: Uint8Array
  start: number
  readonly end: number
}

/** What a pipe leads to. */
export interface Reader {
  readonly owner: Owner
  /** A chunk has come. Whoever has read it says so by `taken`. */
  onBytes(chunk: Uint8Array): void
  onEnd(): void
}

export interface Writer {
  readonly owner: Owner
  /** Everything written has left. */
  onEmpty(): void
}

const smallPiece = 7

export class Pipe {
  /** Nothing arrives before this moment. */
  heldUntilUs = 0
  /** Bytes that wait at the sender. */
  waitingBytes = 0
  private readonly scheduler: Scheduler
  private readonly random: Random
  private readonly profile: LineProfile
  private reader: Reader | undefined
  private writer: Writer | undefined
  private waiting: ByteRange[] = []
  private ending = false
  private readonly travelling = new Queue<(reader: Reader) => void>()
  private onTheWay = 0
  private lastArrivalUs = 0
  private owesDrain = false

  constructor(scheduler: Scheduler, random: Random, profile: LineProfile) {
    this.scheduler = scheduler
    this.random = random
    this.profile = profile
  }

  join(writer: Writer, reader: Reader): void {
    this.writer = writer
    this.reader = reader
  }

  write(ranges: readonly ByteRange[]): void {
    for (const range of ranges) {
      this.waiting.push(range)
      this.waitingBytes += range.end - range.start
    }
    this.owesDrain = true
    this.send()
    this.tellDrained()
  }

  /** No more bytes: the end arrives behind them. */
  end(): void {
    this.ending = true
    this.send()
  }

  /** Whether everything written, the end too, has left. */
  get empty(): boolean {
    return this.waitingBytes === 0 && !this.ending
  }

  /** What waits at the sender never leaves. */
  drop(): void {
    this.waiting = []
    this.waitingBytes = 0
  }

  /** Nobody writes any more, or nobody reads. */
  break(): void {
    this.drop()
    this.reader = this.writer = undefined
  }

  /** Nobody reads any more: what is on the way is lost. */
  loseReader(): void {
    this.reader = undefined
  }

  /** The reader has taken so many bytes. */
  taken(bytes: number): void {
    this.onTheWay -= bytes
    this.send()
    this.tellDrained()
  }

  /** As a socket does: whoever has written is told once all of it has left. */
  private tellDrained(): void {
    const { writer, scheduler } = this
    if (this.waitingBytes > 0 || !this.owesDrain || writer === undefined) return
    this.owesDrain = false
    scheduler.at(scheduler.nowUs, EventKind.Drain, () => this.writer?.onEmpty(), writer.owner)
  }

  private send(): void {
    while (this.waitingBytes > 0 && this.onTheWay < this.profile.capacity) {
      const piece = this.cut()
      this.onTheWay += piece.length
      this.arrive(EventKind.Bytes, (reader) => reader.onBytes(piece))
    }
    if (!this.ending || this.waitingBytes > 0) return
    this.ending = false
    this.arrive(EventKind.End, (reader) => reader.onEnd())
  }

  /** A piece of random size from what waits, copied when it leaves and not before. */
  private cut(): Uint8Array {
    const { random, profile } = this
    const most = Math.min(profile.maxPiece, this.waitingBytes)
    const size = random.chance(0.5)
      ? Math.min(most, random.integer(1, smallPiece))
      : random.integer(1, most)
    const piece = new Uint8Array(size)
    for (let at = 0; at < size;) {
      const first = this.waiting[0]!
      const count = Math.min(size - at, first.end - first.start)
      piece.set(first.buffer.subarray(first.start, first.start + count), at)
      at += count
      first.start += count
      if (first.start === first.end) this.waiting.shift()
    }
    this.waitingBytes -= size
    return piece
  }

  /** One way's delay from now, in microseconds. */
  delayUs(): number {
    const [least, most] = this.profile.delayMs
    return Math.round(this.random.between(least, most) * 1_000)
  }

  private arrive(kind: number, deliver: (reader: Reader) => void): void {
    const { scheduler } = this
    const atUs = Math.max(this.lastArrivalUs, scheduler.nowUs + this.delayUs())
    this.lastArrivalUs = atUs
    this.travelling.push(deliver)
    this.schedule(atUs, kind)
  }

  /** Whenever it comes, what has left first arrives first. */
  private schedule(atUs: number, kind: number): void {
    const arrival = (): void => {
      if (this.reader === undefined) return
      const { heldUntilUs } = this
      if (heldUntilUs <= this.scheduler.nowUs) this.travelling.shift()!(this.reader)
      else if (heldUntilUs !== Infinity) this.schedule(heldUntilUs, kind)
    }
    this.scheduler.at(atUs, kind, arrival, this.reader?.owner)
  }
}
