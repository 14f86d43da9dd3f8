// Two ends of a connection in one process. What is one write at one end is one chunk at the other:
// no operating system joins what was written byte by byte.
//   in  -> chunks written to an end
//   out -> the same chunks, one turn later, at the other

import { Duplex } from 'node:stream'

export class MemoryEnd extends Duplex {
  /** Stands for the port of a socket: which connection this is. */
  readonly remotePort: number
  private other: MemoryEnd | undefined
  private onRead: (() => void) | undefined
  private over = false

  private constructor(id: number) {
    super({ allowHalfOpen: true, highWaterMark: 65_536 })
    this.remotePort = id
  }

  static pair(id: number): readonly [MemoryEnd, MemoryEnd] {
    const one = new MemoryEnd(id)
    const two = new MemoryEnd(id)
    one.other = two
    two.other = one
    return [one, two]
  }

  /** As a socket does it: the other end is told, and loses what it has not read. */
  resetAndDestroy(): this {
    const { other } = this
    process.nextTick(() =>
      other?.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
    )
    this.over = true
    return this.destroy()
  }

  /** A socket has them. */
  setTimeout(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }

  override _read(): void {
    const { onRead } = this
    this.onRead = undefined
    onRead?.()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error) => void): void {
    process.nextTick(() => {
      const { other } = this
      if (other === undefined || other.destroyed)
        return done(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }))
      if (other.push(Buffer.from(chunk))) done()
      else other.onRead = done
    })
  }

  override _final(done: () => void): void {
    process.nextTick(() => {
      this.finish()
      done()
    })
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.onRead?.()
    this.onRead = undefined
    process.nextTick(() => this.finish())
    done(error)
  }

  private finish(): void {
    if (this.over) return
    this.over = true
    if (this.other?.destroyed === false) this.other.push(null)
  }
}
