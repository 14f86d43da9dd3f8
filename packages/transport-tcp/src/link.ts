// A stream socket as a link: length prefix in front of every frame, one write per flush.
//   in  -> frames of the session; bytes of the socket
//   out -> bytes; whole frames
// The prefix stands in the room that every frame has in front of it, so frames that lie behind each
// other in one slab leave as one range, without a copy.

import {
  clockOf,
  ConnectionError,
  FrameWatch,
  PrefixParser,
  frameRoom,
  type Link,
  type LinkClose,
  type LinkHandler,
  type LinkLimits,
  type Peer,
} from '@callbox/core/internal'
import type { Socket } from 'node:net'

/** How long a polite close waits for the peer before the socket is destroyed. */
const closeTimeoutMs = 1_000

/** Ranges below this are copied together: cheaper than one more entry of a `writev`. */
const copyBelow = 4_096
/** So little altogether is copied in one piece whatever its parts: a `writev` costs more. */
const copyAllBelow = 16_384

const clock = clockOf(globalThis)

/** What a link allows its peer; the first frame of a stranger may be less. */
export interface SocketLimits extends LinkLimits {
  readonly maxFirstFrame?: number | undefined
}

interface Range {
  readonly buffer: Uint8Array
  readonly start: number
  end: number
}

export class SocketLink implements Link {
  readonly peer: Peer
  private readonly socket: Socket
  private readonly parser: PrefixParser
  private readonly watch: FrameWatch
  /** Frames that have come. */
  private frames = 0
  private handler: LinkHandler | undefined
  private ranges: Range[] = []
  private pendingBytes = 0
  private needsDrain = false
  private state: 'open' | 'closing' | 'closed' = 'open'
  private error: unknown
  private reason = ''
  private ended = false
  /** Set once frames are delivered no more, though bytes may still come. */
  private deaf = false
  private aborted = false
  private closeTimer: ReturnType<typeof setTimeout> | undefined
  private readonly whenClosed: Promise<void>
  private onGone: () => void = () => undefined

  constructor(socket: Socket, peer: Peer, limits: SocketLimits) {
    this.socket = socket
    this.peer = peer
    this.whenClosed = new Promise((resolve) => {
      this.onGone = resolve
    })
    const onFrame = (buffer: Uint8Array, start: number, end: number): void => {
      this.frames += 1
      if (this.state !== 'closed' && !this.deaf) this.handler?.onFrame(buffer, start, end)
    }
    this.parser = new PrefixParser(limits.maxFrame, onFrame, limits.maxFirstFrame)
    this.watch = new FrameWatch(clock, limits.frameMs, () => this.onLateFrame())
    socket.setNoDelay?.(true)
    // A socket without an error listener ends the process.
    socket.on('error', (error) => this.onError(error))
    socket.on('close', () => this.onClose())
    // Without unread bytes the end is told even while paused, so also before `open`.
    socket.on('end', () => {
      this.ended = true
      this.afterEnd()
    })
    socket.pause()
  }

  open(handler: LinkHandler): void {
    this.handler = handler
    if (this.state === 'closed') return this.report()
    this.socket.on('data', (chunk: Buffer) => {
      if (this.deaf) return
      this.guarded(() => this.parser.push(chunk))
      this.watch.after(this.parser.pending, this.frames)
    })
    this.socket.on('drain', () => this.onDrain())
    this.socket.resume()
    if (this.ended) this.afterEnd()
  }

  write(buffer: Uint8Array, start: number, end: number): void {
    if (this.state !== 'open') return
    const from = start - frameRoom
    const length = end - start
    buffer[from] = length >>> 24
    buffer[from + 1] = length >>> 16
    buffer[from + 2] = length >>> 8
    buffer[from + 3] = length
    const last = this.ranges.at(-1)
    if (last !== undefined && last.buffer === buffer && last.end === from) last.end = end
    else this.ranges.push({ buffer, start: from, end })
    this.pendingBytes += end - from
  }

  flush(): void {
    const { ranges, pendingBytes } = this
    if (ranges.length === 0 || this.state === 'closed') return
    this.ranges = []
    this.pendingBytes = 0
    const { socket } = this
    if (ranges.length === 1) this.send(viewOf(ranges[0]!))
    else if (pendingBytes <= copyAllBelow) this.send(joined(ranges, pendingBytes))
    else {
      socket.cork()
      for (const chunk of gathered(ranges)) this.send(chunk)
      socket.uncork()
    }
  }

  private send(chunk: Uint8Array): void {
    // The callback comes when the system has taken the bytes: only then is there room again.
    this.socket.write(chunk, this.onTaken)
    this.needsDrain = true
  }

  private readonly onTaken = (): void => {
    if (this.needsDrain && this.unsentBytes === 0) this.onDrain()
  }

  private onDrain(): void {
    if (this.state === 'closed' || !this.needsDrain) return
    this.needsDrain = this.unsentBytes > 0
    this.guarded(() => this.handler?.onDrain())
  }

  get unsentBytes(): number {
    return this.pendingBytes + this.socket.writableLength
  }

  pause(): void {
    this.watch.suspend()
    this.parser.pause()
    this.socket.pause()
  }

  resume(): void {
    this.guarded(() => this.parser.resume())
    this.watch.resume()
    this.watch.after(this.parser.pending, this.frames)
    if (this.state === 'closed') return
    this.socket.resume()
    if (this.ended) this.afterEnd()
  }

  async close(): Promise<void> {
    if (this.state === 'open') {
      this.flush()
      this.state = 'closing'
      this.socket.end()
      // The end of the peer must be read. What a reader that has paused gets no more is dropped:
      // a peer that goes on sending must not fill this side meanwhile.
      this.deaf ||= this.parser.paused
      this.socket.resume()
      this.closeTimer = setTimeout(() => this.socket.destroy(), closeTimeoutMs)
      this.closeTimer.unref()
      // The peer has sent its end already: nothing to wait for.
      if (this.ended) this.socket.destroySoon()
    }
    await this.whenClosed
  }

  abort(reason = ''): void {
    if (this.state === 'closed') return
    this.reason ||= reason
    this.state = 'closing'
    this.deaf = true
    this.aborted = true
    this.socket.destroy()
  }

  /** Half-close of the peer: once what it sent has been delivered, this side closes too. */
  private afterEnd(): void {
    if (this.handler === undefined || (this.parser.waiting && !this.deaf)) return
    if (this.parser.pending) this.error ??= new Error('the peer ended inside a frame')
    if (this.state === 'open') void this.close()
    else this.socket.destroySoon()
  }

  private onError(error: unknown): void {
    this.error ??= error
  }

  private onClose(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.watch.close()
    clearTimeout(this.closeTimer)
    this.ranges = []
    if (this.handler !== undefined) this.report()
    this.onGone()
  }

  private report(): void {
    const { error } = this
    const clean = error === undefined && this.ended && !this.aborted
    const close: LinkClose = {
      clean,
      reason: this.reason || (error === undefined ? '' : textOf(error)),
      ...(error === undefined ? {} : { error }),
      ...(error instanceof ConnectionError && error.limit !== undefined
        ? { limit: error.limit }
        : {}),
    }
    this.handler?.onClose(close)
  }

  /** The peer holds the rest of a frame back. */
  private onLateFrame(): void {
    if (this.deaf || this.state === 'closed') return
    this.guarded(() => {
      const reason = 'a frame took longer than limits.frameMs'
      throw new ConnectionError('resource_exhausted', reason, 'frameMs')
    })
  }

  /** Nothing that the owner or the parser throws may reach the socket's event loop turn. */
  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.error ??= error
      const { handler } = this
      if (!(error instanceof ConnectionError) || handler?.onViolation === undefined)
        return this.abort(textOf(error))
      this.deaf = true
      handler.onViolation(error)
    }
  }
}

function viewOf({ buffer, start, end }: Range): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset + start, end - start)
}

/** Small neighbours become one chunk. */
function gathered(ranges: readonly Range[]): readonly Uint8Array[] {
  const chunks: Uint8Array[] = []
  let small: Range[] = []
  let smallBytes = 0
  const close = (): void => {
    if (small.length === 1) chunks.push(viewOf(small[0]!))
    else if (small.length > 1) chunks.push(joined(small, smallBytes))
    small = []
    smallBytes = 0
  }
  for (const range of ranges) {
    const size = range.end - range.start
    if (size >= copyBelow) {
      close()
      chunks.push(viewOf(range))
    } else {
      small.push(range)
      smallBytes += size
    }
  }
  close()
  return chunks
}

function joined(ranges: readonly Range[], size: number): Uint8Array {
  const all = Buffer.allocUnsafe(size)
  let at = 0
  for (const range of ranges) {
    all.set(viewOf(range), at)
    at += range.end - range.start
  }
  return all
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  if (error instanceof ConnectionError) return error.reason
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
