// What a connection has to send: ranges of bytes, one write at the end of a turn.
//   in  -> ranges; small frames written into shared slabs
//   out -> writes of a socket, one on the way at a time; word when all has left
// A slab belongs to one outbox while it is filled and goes to the next one after the flush, so that
// an idle connection holds none.

import type { Duplex } from 'node:stream'

const slabBytes = 64 * 1024
/** Less room than this is not worth handing on. */
const leastRoom = 2 * 1024
/** Slabs that may wait for their next user. */
const maxIdleSlabs = 16
/** One copy of small chunks costs less than one more entry of `writev` each. */
const joinUpTo = 64 * 1024
const joinBelow = 4 * 1024

interface Slab {
  readonly bytes: Buffer
  at: number
}

const idleSlabs: Slab[] = []

/** Told when everything has left. */
export interface OutboxOwner {
  onEmpty(): void
}

export class Outbox {
  private readonly socket: Duplex
  private readonly owner: OutboxOwner
  private chunks: Uint8Array[] | undefined
  /** The last chunk as a range that may still grow: frames that lie behind each other. */
  private rangeBuffer: Uint8Array | undefined
  private rangeStart = 0
  private rangeEnd = 0
  private pendingBytes = 0
  private slab: Slab | undefined
  private writing = false
  /** The callback of writes: made by the first, for an idle connection has none. */
  private taken: (() => void) | undefined

  constructor(socket: Duplex, owner: OutboxOwner) {
    this.socket = socket
    this.owner = owner
  }

  /** Bytes added and not yet taken by the operating system. */
  get unsentBytes(): number {
    return this.pendingBytes + this.socket.writableLength
  }

  /** Bytes that wait behind a write which the operating system has not taken yet. */
  get blocked(): boolean {
    return this.socket.writableLength > 0
  }

  /** Takes `buffer[start, end)` without a copy; the bytes must not change until they have left. */
  add(buffer: Uint8Array, start: number, end: number): void {
    this.pendingBytes += end - start
    if (this.rangeBuffer === buffer && this.rangeEnd === start) {
      this.rangeEnd = end
      return
    }
    this.closeRange()
    this.rangeBuffer = buffer
    this.rangeStart = start
    this.rangeEnd = end
  }

  /** Memory with room for `size` bytes at `slabAt`, at most 16 KiB; what is written there is told by `commit`. */
  room(size: number): Buffer {
    let { slab } = this
    if (slab === undefined || slab.bytes.length - slab.at < size) slab = this.nextSlab(size)
    return slab.bytes
  }

  get slabAt(): number {
    return this.slab!.at
  }

  /** The bytes of the slab up to `end` are a frame. */
  commit(end: number): void {
    const slab = this.slab!
    this.add(slab.bytes, slab.at, end)
    slab.at = end
  }

  private nextSlab(size: number): Slab {
    this.releaseSlab()
    let slab = idleSlabs.pop()
    // Not zeroed: only what was written is ever added.
    if (slab === undefined || slab.bytes.length - slab.at < size)
      slab = { bytes: Buffer.allocUnsafeSlow(slabBytes), at: 0 }
    this.slab = slab
    return slab
  }

  private releaseSlab(): void {
    const { slab } = this
    this.slab = undefined
    if (slab === undefined || slab.bytes.length - slab.at < leastRoom) return
    if (idleSlabs.length < maxIdleSlabs) idleSlabs.push(slab)
  }

  private closeRange(): void {
    const buffer = this.rangeBuffer
    if (buffer === undefined) return
    this.rangeBuffer = undefined
    const { rangeStart, rangeEnd } = this
    ;(this.chunks ??= []).push(
      new Uint8Array(buffer.buffer, buffer.byteOffset + rangeStart, rangeEnd - rangeStart),
    )
  }

  /** Writes what was added. While a write is on its way the rest waits, and leaves together. */
  flush(): void {
    if (this.pendingBytes > 0 && !this.blocked) this.write()
  }

  /** Writes what was added, whatever is on its way, and ends the socket's writing side. */
  end(): void {
    if (this.pendingBytes > 0) this.write()
    this.socket.end()
  }

  private write(): void {
    if (this.socket.writableEnded || this.socket.destroyed) return this.clear()
    this.closeRange()
    this.releaseSlab()
    const { chunks = [], socket, pendingBytes } = this
    this.chunks = undefined
    this.pendingBytes = 0
    this.writing = true
    const taken = (this.taken ??= () => this.onTaken())
    if (chunks.length === 1) socket.write(chunks[0]!, taken)
    else if (pendingBytes <= joinUpTo && pendingBytes < chunks.length * joinBelow)
      socket.write(Buffer.concat(chunks, pendingBytes), taken)
    else {
      socket.cork()
      for (let index = 0; index < chunks.length - 1; index += 1) socket.write(chunks[index]!)
      socket.write(chunks.at(-1)!, taken)
      socket.uncork()
    }
  }

  private onTaken(): void {
    if (!this.writing || this.socket.destroyed) return
    this.flush()
    if (this.unsentBytes > 0) return
    this.writing = false
    this.owner.onEmpty()
  }

  /** Forgets what has not been written. */
  clear(): void {
    this.chunks = undefined
    this.rangeBuffer = undefined
    this.pendingBytes = 0
    this.releaseSlab()
  }
}
