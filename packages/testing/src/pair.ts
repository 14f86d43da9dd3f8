// Two links in memory, joined: what one writes the other receives, in order, after this turn.
//   in  -> frames of one end
//   out -> the same frames at the other
// Keeps the contract of a link to the letter: nothing before `flush`, backpressure while the reader
// has paused, one close.

import type { Link, LinkClose, LinkHandler, Peer } from '@callbox/core/internal'

export interface PairOptions {
  /** Largest frame, in bytes; a larger one breaks the link, as a transport would. */
  readonly maxFrame?: number | undefined
  /** Called once the second end is gone. */
  readonly onClose?: (() => void) | undefined
}

/** Two ends of one connection. */
export function createPair(options: PairOptions = {}): readonly [Link, Link] {
  const maxFrame = options.maxFrame ?? 65 * 1024
  const a = new MemoryLink(maxFrame)
  const b = new MemoryLink(maxFrame)
  a.other = b
  b.other = a
  void b.whenClosed.then(options.onClose)
  return [a, b]
}

/** Opaque to `Link` users. */
class MemoryLink implements Link {
  readonly peer: Peer = { transport: 'memory' }
  other!: MemoryLink
  unsentBytes = 0
  private readonly maxFrame: number
  private handler: LinkHandler | undefined
  private written: Uint8Array[] = []
  private inbox: (Uint8Array | 'end')[] = []
  private paused = false
  private delivering = false
  private state: 'open' | 'closing' | 'closed' = 'open'
  private final: LinkClose | undefined
  private onGone: () => void = () => undefined
  readonly whenClosed: Promise<void>

  constructor(maxFrame: number) {
    this.maxFrame = maxFrame
    this.whenClosed = new Promise((resolve) => {
      this.onGone = resolve
    })
  }

  open(handler: LinkHandler): void {
    this.handler = handler
    if (this.final !== undefined) handler.onClose(this.final)
    else this.deliverSoon()
  }

  write(buffer: Uint8Array, start: number, end: number): void {
    if (this.state !== 'open') return
    this.written.push(buffer.slice(start, end))
    this.unsentBytes += end - start
  }

  flush(): void {
    if (this.state === 'closed' || this.written.length === 0) return
    this.other.inbox.push(...this.written)
    this.written = []
    this.other.deliverSoon()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.deliverSoon()
  }

  async close(): Promise<void> {
    if (this.state === 'open') {
      this.flush()
      this.state = 'closing'
      this.other.inbox.push('end')
      this.other.deliverSoon()
      // A reader that has paused will not see the end: the link's own close timeout.
      const timer = setTimeout(() => this.abort('close timeout'), 1_000)
      void this.whenClosed.then(() => clearTimeout(timer))
    }
    await this.whenClosed
  }

  abort(reason = ''): void {
    if (this.state === 'closed') return
    this.finish({ clean: false, reason })
    const { other } = this
    queueMicrotask(() => other.finish({ clean: false, reason: 'the peer aborted' }))
  }

  private deliverSoon(): void {
    if (this.delivering || this.handler === undefined) return
    this.delivering = true
    queueMicrotask(() => {
      this.delivering = false
      this.deliver()
    })
  }

  private deliver(): void {
    let delivered = false
    while (!this.paused && this.state !== 'closed') {
      const next = this.inbox.shift()
      if (next === undefined) break
      if (next === 'end') {
        this.onPeerEnd()
        break
      }
      delivered = true
      this.other.unsentBytes -= next.length
      this.receive(next)
    }
    if (delivered && this.other.unsentBytes === 0 && this.other.state === 'open')
      this.other.handler?.onDrain()
  }

  private receive(frame: Uint8Array): void {
    try {
      if (frame.length > this.maxFrame) throw new Error('frame over maxFrame')
      this.handler?.onFrame(frame, 0, frame.length)
    } catch (error) {
      this.finish({ clean: false, reason: error instanceof Error ? error.message : 'error', error })
      this.other.finish({ clean: false, reason: 'the peer aborted' })
    }
  }

  /** The peer has closed: both ends are gone now. */
  private onPeerEnd(): void {
    this.finish({ clean: true, reason: '' })
    this.other.finish({ clean: true, reason: '' })
  }

  private finish(close: LinkClose): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.final = close
    this.inbox = []
    this.written = []
    this.handler?.onClose(close)
    this.onGone()
  }
}
