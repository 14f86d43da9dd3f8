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
  near: Link | undefined
  far: Link | undefined

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

  blackhole(): void {
    this.dead = true
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
    this.inner.open({
      onFrame: (buffer, start, end) => {
        if (line.dead) return
        const fate = transport.fate(way, buffer.subarray(start, end), line)
        if (fate !== 'cut before') handler.onFrame(buffer, start, end)
        if (fate !== 'pass') line.cut()
      },
      onDrain: () => handler.onDrain(),
      onViolation: (error) => handler.onViolation?.(error),
      onClose: (close) => {
        if (way === 'down' || !line.halfOpen) handler.onClose(close)
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

  close(): Promise<void> {
    return this.inner.close()
  }

  abort(reason?: string): void {
    this.inner.abort(reason)
  }
}
