// A bad network between real sockets: delay, throttle, stall, cut at a byte, reset, half-open links,
// directions that lose everything, other chunks.
//   in  -> TCP connections
//   out -> the same bytes to a target, as late and as far as they are let through
// Knows nothing of what it carries: TLS and WebSocket go through it as well. It delays bytes, not
// packets: nothing is lost or reordered, as TCP would not show it.

import * as net from 'node:net'
import { Shaper, type LineShape } from './shaper.ts'

export interface FaultProxyOptions {
  /** Where connections go. */
  readonly target: { readonly host?: string; readonly port: number } | { readonly path: string }
  /** Port to listen on, at 127.0.0.1. Default 0: any. */
  readonly port?: number | undefined
  /** From those who connect to the target, and back. */
  readonly up?: LineShape | undefined
  readonly down?: LineShape | undefined
  /** Shapes of one connection, by its number from 0, instead of `up` and `down`. */
  readonly shapesOf?: ((connection: number) => LineShapes | undefined) | undefined
}

export interface LineShapes {
  readonly up?: LineShape | undefined
  readonly down?: LineShape | undefined
}

/** What has gone through one connection, in bytes. */
export interface ProxiedConnection {
  readonly upBytes: number
  readonly downBytes: number
}

export interface FaultProxy {
  readonly port: number
  readonly connections: readonly ProxiedConnection[]
  /** Changes a direction, for what arrives from now on. */
  up(shape: LineShape): void
  down(shape: LineShape): void
  /** Lets nothing through, either way, and goes on again. */
  stall(): void
  resume(): void
  /** Ends every connection in order, or resets it. */
  cut(): void
  reset(): void
  /**
   * From now on a direction of the connections that there are loses everything, the end too, and
   * nobody is told; both directions if none is named. Later connections are not touched.
   */
  blackhole(way?: 'up' | 'down'): void
  /** Resets every connection at one end; the other end is not told, and what it sends is lost. */
  halfOpen(told: 'near' | 'far'): void
  /** Connections so far. */
  readonly accepted: number
  /** Ends everything. Settles when the port is free. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts one. Rejects with the cause when it cannot listen. */
export async function createFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const shapes = { up: options.up ?? {}, down: options.down ?? {} }
  const lines = new Set<Line>()
  let accepted = 0
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = net.connect({ ...options.target, allowHalfOpen: true, noDelay: true })
    const own = options.shapesOf?.(accepted)
    accepted += 1
    const these = own === undefined ? shapes : { up: own.up ?? {}, down: own.down ?? {} }
    const line: Line = new Line(near, far, these, () => lines.delete(line))
    lines.add(line)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', () => resolve())
  })
  // An accept that fails later has no one to tell.
  server.removeAllListeners('error').on('error', () => undefined)
  const each = (work: (line: Line) => void): void => {
    for (const line of lines) work(line)
  }
  const close = async (): Promise<void> => {
    each((line) => line.reset())
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  return {
    // Listening on a port: the address is an object.
    port: (server.address() as net.AddressInfo).port,
    get connections() {
      return [...lines]
    },
    up: (shape) => {
      shapes.up = shape
      each((line) => line.upward.reshape(shape))
    },
    down: (shape) => {
      shapes.down = shape
      each((line) => line.downward.reshape(shape))
    },
    stall: () => each((line) => line.stall()),
    resume: () => each((line) => line.unstall()),
    cut: () => each((line) => line.cut()),
    reset: () => each((line) => line.reset()),
    blackhole: (way) => each((line) => line.blackhole(way)),
    halfOpen: (told) => each((line) => line.halfOpen(told)),
    get accepted() {
      return accepted
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Nobody answers the end of a connection that loses everything; no socket is kept for ever either. */
const lingerMs = 2_000

/** One connection, both ways. */
class Line implements ProxiedConnection {
  readonly upward: Shaper
  readonly downward: Shaper
  private readonly near: net.Socket
  private readonly far: net.Socket
  /** The ends are not told of each other. */
  private muted = false

  constructor(
    near: net.Socket,
    far: net.Socket,
    shapes: { readonly up: LineShape; readonly down: LineShape },
    onGone: () => void,
  ) {
    this.near = near
    this.far = far
    this.upward = this.shaper(near, far, shapes.up)
    this.downward = this.shaper(far, near, shapes.down)
    for (const socket of [near, far]) {
      // A target that refuses, a peer that resets: the other side sees a reset.
      socket.on('error', () => {
        if (!this.muted) this.reset()
      })
      socket.on('close', () => {
        if (near.destroyed && far.destroyed) {
          this.stop()
          onGone()
        }
      })
    }
  }

  private shaper(source: net.Socket, sink: net.Socket, shape: LineShape): Shaper {
    const shaper = new Shaper(shape, {
      write: (bytes) => void sink.write(bytes),
      pause: () => void source.pause(),
      resume: () => void source.resume(),
      end: () => void sink.end(),
      cut: () => this.cut(),
      reset: () => this.reset(),
    })
    source.on('data', (chunk: Buffer) => shaper.push(chunk))
    source.on('end', () => {
      // Where the ends do not hear of each other, one that has left is gone, a while later.
      if (this.muted) setTimeout(() => source.destroy(), lingerMs).unref()
      else shaper.finish()
    })
    return shaper
  }

  get upBytes(): number {
    return this.upward.forwarded
  }

  get downBytes(): number {
    return this.downward.forwarded
  }

  stall(): void {
    this.upward.stall()
    this.downward.stall()
  }

  unstall(): void {
    this.upward.unstall()
    this.downward.unstall()
  }

  /** FIN to both, behind what has been let through. */
  cut(): void {
    this.stop()
    for (const socket of [this.near, this.far])
      if (!socket.destroyed) socket.end(() => socket.destroy())
  }

  reset(): void {
    this.stop()
    for (const socket of [this.near, this.far]) if (!socket.destroyed) socket.resetAndDestroy()
  }

  blackhole(way: 'up' | 'down' | undefined): void {
    this.muted = true
    if (way !== 'down') this.upward.lose()
    if (way !== 'up') this.downward.lose()
  }

  halfOpen(told: 'near' | 'far'): void {
    this.blackhole(undefined)
    if (told === 'near') this.near.resetAndDestroy()
    else this.far.resetAndDestroy()
  }

  private stop(): void {
    this.upward.stop()
    this.downward.stop()
  }
}
