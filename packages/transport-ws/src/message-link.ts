// A WebSocket that is not ours as a link: of a browser, of Bun, of Deno, of any library.
//   in  -> frames of the session; messages of the WebSocket
//   out -> one binary message per frame; small frames of one turn together, in a BATCH
// Such a WebSocket cannot stop reading: while paused, messages wait here. Credit bounds how many can
// come.

import {
  batchedBytes,
  writeBatch,
  type FrameRange,
  type Link,
  type LinkClose,
  type LinkHandler,
  type Peer,
} from '@callbox/core/internal'

/**
 * What Callbox needs of a WebSocket. Those of browsers, Bun, Deno, undici and npm `ws` have it. It
 * must have asked for the subprotocol `callbox.v1`, and for no compression.
 */
export interface WebSocketLike {
  /** Is set to `arraybuffer`. */
  binaryType: string
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number
  /** Bytes handed over and not sent. */
  readonly bufferedAmount: number
  send(message: Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  onopen: ((event: never) => unknown) | null
  onmessage: ((event: never) => unknown) | null
  onclose: ((event: never) => unknown) | null
  onerror: ((event: never) => unknown) | null
}

/** Of the events of such a WebSocket. */
interface MessageLike {
  readonly data: unknown
}

interface CloseLike {
  readonly wasClean?: boolean
  readonly code?: number
}

export interface MessageLinkParts {
  /** Open. */
  readonly socket: WebSocketLike
  readonly peer: Peer
  /** Largest frame that the peer may send, in bytes. */
  readonly maxFrame: number
  /** The client's side may send BATCH frames: there a message costs more than a frame. */
  readonly role: 'client' | 'server'
}

/** A browser tells nobody when it has sent: while something is unsent it is asked this often. */
const pollMs = 4
const closeTimeoutMs = 1_000
/** Header of a BATCH, in bytes. */
const batchHeader = 6
/** A message costs a browser as much as copying some KiB: larger frames go alone. */
const batchedFrame = 4 * 1024
/** The least `maxFrame` that a peer may state: every peer takes so much. */
const mostBatch = 16 * 1024

export class MessageLink implements Link {
  readonly batches = true
  readonly peer: Peer
  private readonly socket: WebSocketLike
  private readonly sendsBatches: boolean
  private readonly maxFrame: number
  private handler: LinkHandler | undefined
  private pending: FrameRange[] = []
  /** WELCOME has come: a BATCH is understood. */
  private welcomed = false
  private pendingBytes = 0
  private waiting: ArrayBuffer[] = []
  private paused = true
  private state: 'open' | 'closing' | 'closed' = 'open'
  private final: LinkClose | undefined
  /** The WebSocket has ended; what waits unread is delivered first. */
  private ended: { readonly clean: boolean; readonly code: number } | undefined
  private reason = ''
  private poll: ReturnType<typeof setTimeout> | undefined
  private closeTimer: ReturnType<typeof setTimeout> | undefined
  /** Settles when the link is gone. */
  readonly whenClosed: Promise<void>
  private onGone: () => void = () => undefined

  constructor({ socket, peer, maxFrame, role }: MessageLinkParts) {
    this.socket = socket
    this.maxFrame = maxFrame
    this.peer = peer
    this.sendsBatches = role === 'client'
    socket.binaryType = 'arraybuffer'
    this.whenClosed = new Promise((resolve) => {
      this.onGone = resolve
    })
    socket.onmessage = ({ data }: MessageLike) => this.onMessage(data)
    socket.onclose = ({ wasClean = true, code = 1006 }: CloseLike) => {
      this.ended = { clean: wasClean && code === 1000, code }
      this.afterEnd()
    }
    // What went wrong a browser does not say; `close` follows.
    socket.onerror = () => undefined
  }

  open(handler: LinkHandler): void {
    this.handler = handler
    if (this.final !== undefined) return handler.onClose(this.final)
    this.resume()
  }

  write(buffer: Uint8Array, start: number, end: number): void {
    if (this.state !== 'open') return
    this.pending.push({ buffer, start, end })
    this.pendingBytes += end - start
  }

  flush(): void {
    if (this.state === 'closed' || this.pending.length === 0) return
    const frames = this.pending
    this.pending = []
    this.pendingBytes = 0
    for (let at = 0; at < frames.length;) at = this.sendFrom(frames, at)
    this.watch()
  }

  /** Sends one message: as many small frames as fit, or one frame. Answers what comes next. */
  private sendFrom(frames: readonly FrameRange[], from: number): number {
    let to = from
    let bytes = batchHeader
    while (this.sendsBatches && this.welcomed && to < frames.length) {
      const size = batchedBytes(frames[to]!)
      if (size > batchedFrame || bytes + size > mostBatch) break
      bytes += size
      to += 1
    }
    if (to - from > 1) this.socket.send(writeBatch(frames.slice(from, to)))
    else {
      to = from + 1
      const { buffer, start, end } = frames[from]!
      // The view is copied by the browser in `send`. Frames never lie in shared memory.
      this.socket.send(buffer.subarray(start, end) as Uint8Array<ArrayBuffer>)
    }
    return to
  }

  get unsentBytes(): number {
    return this.pendingBytes + this.socket.bufferedAmount
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    while (!this.paused && this.state !== 'closed' && this.waiting.length > 0)
      this.deliver(this.waiting.shift()!)
    this.afterEnd()
  }

  private afterEnd(): void {
    const { ended } = this
    if (ended === undefined || (this.waiting.length > 0 && this.state === 'open')) return
    this.finish(ended.clean, ended.code === 1000 ? '' : `closed with ${ended.code}`)
  }

  async close(): Promise<void> {
    if (this.state === 'open') {
      this.flush()
      this.state = 'closing'
      this.socket.close(1000)
      this.closeTimer = setTimeout(() => this.finish(false, 'close timeout'), closeTimeoutMs)
    }
    await this.whenClosed
  }

  abort(reason = ''): void {
    this.giveUp(reason)
  }

  private giveUp(reason: string, error?: unknown): void {
    if (this.state === 'closed') return
    this.reason ||= reason
    // First: some tell of the end before `close` returns.
    this.finish(false, reason, error)
    this.socket.close()
  }

  private onMessage(data: unknown): void {
    if (this.state === 'closed') return
    if (!(data instanceof ArrayBuffer)) return this.abort('text is not accepted')
    if (this.paused || this.waiting.length > 0) this.waiting.push(data)
    else this.deliver(data)
  }

  private deliver(data: ArrayBuffer): void {
    try {
      if (data.byteLength > this.maxFrame) throw new Error('frame over maxFrame')
      this.welcomed = true
      this.handler?.onFrame(new Uint8Array(data), 0, data.byteLength)
    } catch (error) {
      this.giveUp(error instanceof Error ? error.message : 'error', error)
    }
  }

  private watch(): void {
    if (this.poll !== undefined) return
    this.poll = setTimeout(() => {
      this.poll = undefined
      if (this.state === 'closed') return
      if (this.unsentBytes === 0) this.handler?.onDrain()
      else this.watch()
    }, pollMs)
  }

  private finish(clean: boolean, reason: string, error?: unknown): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    clearTimeout(this.poll)
    clearTimeout(this.closeTimer)
    this.pending = []
    this.waiting = []
    this.final = {
      clean,
      reason: this.reason || reason,
      ...(error === undefined ? {} : { error }),
    }
    this.handler?.onClose(this.final)
    this.onGone()
  }
}
