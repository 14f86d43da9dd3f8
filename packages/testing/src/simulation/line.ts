// One connection of a simulated network, and its two ends as links with the framing of TCP.
//   in  -> frames; faults: cut, half-open, held back, a reader that stops
//   out -> frames cut out of whatever pieces come, backpressure, one close
// Behaves as a socket does: a close waits for the peer's, an abort tears down, a half-open line tells
// nobody.

import {
  ConnectionError,
  frameRoom,
  PrefixParser,
  type Link,
  type LinkClose,
  type LinkHandler,
  type Peer,
} from '@callbox/core/internal'
import type { Host } from './host.ts'
import { Pipe, type ByteRange, type LineProfile, type Reader, type Writer } from './pipe.ts'
import type { Random } from './random.ts'
import { EventKind, type Scheduler } from './scheduler.ts'

/** From the end that has dialled to the end that was dialled, and back. */
export type Way = 'up' | 'down'

/** Sees every frame that an end writes, and every frame that an end hands to its session. */
export interface LineTap {
  onWrite?(end: LineEnd, frame: Uint8Array): void
  onFrame?(end: LineEnd, frame: Uint8Array): void
  /** An end is closed, by its session, its peer or a fault. `reason`: what the session is told. */
  onClose?(end: LineEnd, reason: string): void
}

/** What a peer that breaks rules sends instead of a frame: nothing, other frames, more of them. */
export type Tamper = (end: LineEnd, frame: Uint8Array) => readonly Uint8Array[]

export interface LineParts {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly profile: LineProfile
  readonly ordinal: number
  readonly near: Host
  readonly far: Host
  readonly maxFrame: { readonly near: number; readonly far: number }
  readonly tap: LineTap
  readonly tamper: Tamper | undefined
}

/** A polite close waits so long for the peer, in milliseconds. */
const closeTimeoutMs = 1_000

export class Line {
  readonly ordinal: number
  /** The end of who has dialled, and of who was dialled. */
  readonly near: LineEnd
  readonly far: LineEnd
  readonly up: Pipe
  readonly down: Pipe
  private readonly scheduler: Scheduler

  constructor(parts: LineParts) {
    const { scheduler, random, profile, ordinal } = parts
    this.scheduler = scheduler
    this.ordinal = ordinal
    this.up = new Pipe(scheduler, random.fork(`up ${ordinal}`), profile)
    this.down = new Pipe(scheduler, random.fork(`down ${ordinal}`), profile)
    this.near = new LineEnd(this, parts, 'near', this.up, this.down)
    this.far = new LineEnd(this, parts, 'far', this.down, this.up)
    this.up.join(this.near, this.far)
    this.down.join(this.far, this.near)
  }

  /** Whether an end is still open. */
  get open(): boolean {
    return this.near.state !== 'closed' || this.far.state !== 'closed'
  }

  /** Both ends lose it: the first now, the other after so many milliseconds; Infinity: never. */
  cut(first: 'near' | 'far' | 'both' = 'both', laterMs = 0): void {
    const other = first === 'far' ? this.near : this.far
    ;(first === 'far' ? this.far : this.near).lose('connection reset')
    if (laterMs === Infinity) return
    this.scheduler.at(
      this.scheduler.nowUs + (first === 'both' ? 0 : laterMs * 1_000),
      EventKind.Reset,
      () => other.lose('connection reset'),
      other.owner,
    )
  }

  /** Bytes of one direction, or of both, arrive so many milliseconds later at the earliest. */
  hold(way: Way | 'both', ms: number): void {
    const until = this.scheduler.nowUs + ms * 1_000
    for (const pipe of way === 'both' ? [this.up, this.down] : [this[way]])
      pipe.heldUntilUs = Math.max(pipe.heldUntilUs, until)
  }
}

export class LineEnd implements Link, Reader, Writer {
  readonly peer: Peer = { transport: 'simulated' }
  readonly line: Line
  readonly side: 'near' | 'far'
  readonly owner: Host
  state: 'open' | 'closing' | 'closed' = 'open'
  /** When bytes were read last, in microseconds. */
  heardUs: number
  /** When a whole frame was read last, in microseconds: what sessions hear. */
  framedUs: number
  /** Its session has stopped reading. */
  paused = false
  private readonly scheduler: Scheduler
  private readonly out: Pipe
  private readonly into: Pipe
  private readonly parser: PrefixParser
  private readonly tap: LineTap
  private readonly tamper: Tamper | undefined
  private handler: LinkHandler | undefined
  private written: ByteRange[] = []
  private writtenBytes = 0
  private unread: Uint8Array[] = []
  private peerEnded = false
  /** A fault: this end reads nothing for now. */
  private blockedUntilUs = 0
  /** Frames are delivered no more. */
  private deaf = false
  private final: LinkClose | undefined
  private onGone: () => void = () => undefined
  private readonly whenClosed: Promise<void>

  constructor(line: Line, parts: LineParts, side: 'near' | 'far', out: Pipe, into: Pipe) {
    this.line = line
    this.side = side
    this.owner = parts[side]
    this.scheduler = parts.scheduler
    this.heardUs = this.framedUs = parts.scheduler.nowUs
    this.tap = parts.tap
    this.tamper = parts.tamper
    this.out = out
    this.into = into
    this.whenClosed = new Promise((resolve) => {
      this.onGone = resolve
    })
    this.parser = new PrefixParser(parts.maxFrame[side], (buffer, start, end) => {
      if (this.state === 'closed' || this.deaf) return
      this.framedUs = this.scheduler.nowUs
      this.tap.onFrame?.(this, buffer.subarray(start, end))
      this.handler?.onFrame(buffer, start, end)
    })
  }

  get unsentBytes(): number {
    return this.writtenBytes + this.out.waitingBytes
  }

  open(handler: LinkHandler): void {
    this.handler = handler
    if (this.final !== undefined) return this.reportSoon()
    this.scheduler.at(this.scheduler.nowUs, EventKind.Bytes, () => this.read(), this.owner)
  }

  write(buffer: Uint8Array, start: number, end: number): void {
    if (this.state !== 'open') return
    if (this.tamper === undefined) return this.put(buffer, start, end)
    for (const frame of this.tamper(this, buffer.slice(start, end))) {
      const copy = new Uint8Array(frameRoom + frame.length)
      copy.set(frame, frameRoom)
      this.put(copy, frameRoom, copy.length)
    }
  }

  private put(buffer: Uint8Array, start: number, end: number): void {
    this.tap.onWrite?.(this, buffer.subarray(start, end))
    const from = start - frameRoom
    const length = end - start
    buffer[from] = length >>> 24
    buffer[from + 1] = length >>> 16
    buffer[from + 2] = length >>> 8
    buffer[from + 3] = length
    this.written.push({ buffer, start: from, end })
    this.writtenBytes += end - from
  }

  flush(): void {
    if (this.written.length === 0 || this.state === 'closed') return
    const ranges = this.written
    this.written = []
    this.writtenBytes = 0
    this.out.write(ranges)
  }

  pause(): void {
    this.paused = true
    this.parser.pause()
  }

  resume(): void {
    this.paused = false
    this.guarded(() => this.parser.resume())
    this.read()
  }

  async close(): Promise<void> {
    if (this.state === 'open') {
      this.flush()
      this.state = 'closing'
      this.out.end()
      this.deaf ||= this.paused
      this.parser.resume()
      this.read()
      this.owner.after(closeTimeoutMs, () => this.abort('close timeout'))
      this.afterEnd()
    }
    await this.whenClosed
  }

  abort(reason = ''): void {
    if (this.state === 'closed') return
    // What the system has taken still leaves, then the end; what it has not is lost.
    this.written = []
    this.out.drop()
    this.out.end()
    this.finish({ clean: false, reason })
  }

  /** A fault: the line is gone, for this end. The other is told nothing. */
  lose(reason: string): void {
    if (this.state === 'closed') return
    this.out.break()
    this.finish({ clean: false, reason, error: new Error(reason) })
  }

  /** A fault: nothing is read for so many milliseconds. */
  block(ms: number): void {
    const { scheduler } = this
    this.blockedUntilUs = Math.max(this.blockedUntilUs, scheduler.nowUs + Math.round(ms * 1_000))
    scheduler.at(this.blockedUntilUs, EventKind.Bytes, () => this.read(), this.owner)
  }

  // As the reader of one pipe and the writer of the other

  onBytes(chunk: Uint8Array): void {
    this.unread.push(chunk)
    this.read()
  }

  onEnd(): void {
    this.heardUs = this.scheduler.nowUs
    this.peerEnded = true
    this.read()
  }

  onEmpty(): void {
    if (this.state === 'closed') return
    this.scheduler.enter()
    this.guarded(() => this.handler?.onDrain())
  }

  private read(): void {
    while (this.reads && this.unread.length > 0) {
      const chunk = this.unread.shift()!
      this.heardUs = this.scheduler.nowUs
      this.into.taken(chunk.length)
      if (!this.deaf) {
        this.scheduler.enter()
        this.guarded(() => this.parser.push(chunk))
      }
    }
    this.afterEnd()
  }

  private get reads(): boolean {
    return (
      this.handler !== undefined &&
      this.blockedUntilUs <= this.scheduler.nowUs &&
      this.state !== 'closed' &&
      (!this.paused || this.deaf || this.state === 'closing')
    )
  }

  /** The peer has ended: once what it sent was delivered, this side closes too. */
  private afterEnd(): void {
    if (!this.peerEnded || this.unread.length > 0 || !this.reads) return
    if (this.parser.waiting && !this.deaf) return
    if (this.state === 'open') return void this.close()
    this.finish({ clean: !this.parser.pending, reason: '' })
  }

  private finish(close: LinkClose): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.final = close
    this.unread = []
    this.written = []
    this.into.loseReader()
    this.tap.onClose?.(this, close.reason)
    this.reportSoon()
  }

  private reportSoon(): void {
    this.scheduler.at(
      this.scheduler.nowUs,
      EventKind.Closed,
      () => {
        this.onGone()
        this.scheduler.enter()
        const { handler } = this
        this.handler = undefined
        handler?.onClose(this.final!)
      },
      this.owner,
    )
  }

  /** Nothing that the owner or the parser throws may reach the scheduler. */
  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      const { handler } = this
      if (!(error instanceof ConnectionError) || handler?.onViolation === undefined)
        return this.finishBroken(error)
      this.deaf = true
      handler.onViolation(error)
    }
  }

  private finishBroken(error: unknown): void {
    this.out.drop()
    this.out.end()
    const reason = error instanceof Error ? error.message : 'error'
    this.finish({ clean: false, reason, error })
  }
}
