// A transport in memory whose links a test can break, in every way that a network can.
//   in  -> links made by `memory()`
//   out -> the same links; cuts, dead lines, refusals to connect, a look at every frame

import type {
  DialOptions,
  Link,
  LinkHandler,
  ListenOptions,
  Transport,
} from '@callbox/core/internal'
import { memory } from '@callbox/testing'

/** From the client to the server, and back. */
export type Way = 'up' | 'down'

/** What becomes of a frame: delivered; delivered, and then the line is cut; lost with the line. */
export type Fate = 'pass' | 'cut after' | 'cut before'

/** One connection, from both ends. */
export class Line {
  /** Nothing goes through any more, and nobody is told. */
  dead = false
  /** The server's end does not notice that the line is gone. */
  halfOpen = false
  /** Neither end hears of the other's. */
  mute = false
  near: Link | undefined
  far: Link | undefined
  /** A frame was lost: nothing behind it may arrive, as on any stream of bytes. */
  readonly lost: Record<Way, boolean> = { up: false, down: false }
  /** What arrives is kept, and nobody sees it: a process that is stopped. */
  private readonly held: Record<Way, (() => void)[] | undefined> = {
    up: undefined,
    down: undefined,
  }

  /** Both ends lose it. */
  cut(): void {
    this.dead = true
    this.near?.abort('cut')
  }

  /** Only the client notices. */
  cutClient(): void {
    this.halfOpen = true
    this.cut()
  }

  /** Nothing goes through any more, not even the end. */
  blackhole(): void {
    this.dead = this.mute = true
  }

  hold(way: Way): void {
    this.held[way] ??= []
  }

  /** Everything that was kept arrives now, in order. */
  letGo(way: Way): void {
    const kept = this.held[way] ?? []
    this.held[way] = undefined
    for (const arrive of kept) arrive()
  }

  arrive(way: Way, event: () => void): void {
    const kept = this.held[way]
    if (kept === undefined) event()
    else kept.push(event)
  }
}

export class Cuttable implements Required<Transport> {
  readonly name = 'memory'
  readonly target = 'memory'
  /** Every connection so far, the newest last. */
  readonly lines: Line[] = []
  /** Attempts to dial. */
  dials = 0
  /** While true nobody can connect. */
  down = false
  /** Decides about each frame as it arrives. */
  fate: (way: Way, frame: Uint8Array, line: Line) => Fate = () => 'pass'
  private readonly inner = memory()

  get line(): Line {
    return this.lines.at(-1)!
  }

  async dial(options: DialOptions): Promise<Link> {
    this.dials += 1
    if (this.down) throw new Error('the network is down')
    const line = new Line()
    this.lines.push(line)
    // `memory()` gives the far end to its listener before this returns.
    line.near = await this.inner.dial(options)
    return new WatchedLink(line.near, line, 'down', this)
  }

  listen(options: ListenOptions): ReturnType<Required<Transport>['listen']> {
    return this.inner.listen({
      ...options,
      onLink: (far) => {
        this.line.far = far
        options.onLink(new WatchedLink(far, this.line, 'up', this))
      },
    })
  }
}

class WatchedLink implements Link {
  private readonly inner: Link
  private readonly line: Line
  private readonly way: Way
  private readonly transport: Cuttable
  private handler: LinkHandler | undefined
  private leaving = false

  constructor(inner: Link, line: Line, way: Way, transport: Cuttable) {
    this.inner = inner
    this.line = line
    this.way = way
    this.transport = transport
  }

  get peer(): Link['peer'] {
    return this.inner.peer
  }

  get unsentBytes(): number {
    return this.inner.unsentBytes
  }

  open(handler: LinkHandler): void {
    const { line, way, transport } = this
    this.handler = handler
    this.inner.open({
      onFrame: (buffer, start, end) => {
        if (line.dead) return
        // `memory()` gives every frame in a buffer of its own: it can be kept.
        line.arrive(way, () => {
          if (line.lost[way]) return
          const fate = transport.fate(way, buffer.subarray(start, end), line)
          if (fate === 'cut before') line.lost[way] = true
          else handler.onFrame(buffer, start, end)
          if (fate !== 'pass') line.cut()
        })
      },
      onDrain: () => handler.onDrain(),
      onViolation: (error) => handler.onViolation?.(error),
      onClose: (close) => {
        if (line.mute && !this.leaving) return
        this.handler = undefined
        if (way === 'down' || !line.halfOpen) line.arrive(way, () => handler.onClose(close))
      },
    })
  }

  write(buffer: Uint8Array, start: number, end: number): void {
    this.inner.write(buffer, start, end)
  }

  flush(): void {
    this.inner.flush()
  }

  pause(): void {
    this.inner.pause()
  }

  resume(): void {
    this.inner.resume()
  }

  async close(): Promise<void> {
    this.leaving = true
    if (this.line.mute) this.abort()
    await this.inner.close()
  }

  abort(reason = ''): void {
    this.leaving = true
    this.inner.abort(reason)
    // The other end was the first to go: this one was never told.
    const { handler } = this
    this.handler = undefined
    handler?.onClose({ clean: false, reason })
  }
}
