// What one connection makes this side hold, in bytes: one account, whatever the feature.
//   in  -> bytes that arrive, are decoded, wait to be sent, wait for an acknowledgment; their release
//   out -> sums, to compare with limits; the same sums for the whole process
// Pure counting. Limits per feature get bypassed one after the other (ws CVE-2026-48779 and
// CVE-2026-62389, socket.io-parser CVE-2026-33151 and CVE-2026-69185): what counts is the sum.

import type { Memory } from './memory.ts'

/** What a node of a decoded value is charged besides its bytes: an object is larger than its msgpack. */
export const nodeCost = 64

export class Ledger {
  /** Received and not decoded: parts of messages, unread items, requests that wait for dispatch. */
  buffered = 0
  /** Decoded, until the handler settles or the reader moves on: bytes, and `nodeCost` a node. */
  held = 0
  /** Encoded and not sent: it waits for credit, or for the socket. */
  waiting = 0
  /** Sent and not acknowledged, with the cost of each frame. */
  ring = 0
  /** Called whenever `held` has become less. */
  onHeldReleased: (() => void) | undefined
  /** Called whenever `waiting` has become more, while its session is parked. */
  onWaiting: (() => void) | undefined
  private readonly memory: Memory
  /** Late releases, of readers that outlive their session, are not counted twice. */
  private closed = false

  constructor(memory: Memory) {
    this.memory = memory
  }

  /** Everything together, in bytes. */
  get bytes(): number {
    return this.buffered + this.held + this.waiting + this.ring
  }

  /** Negative: so many bytes are released. The same for the others. */
  buffer(bytes: number): void {
    if (this.closed) return
    this.buffered += bytes
    this.memory.add(bytes)
  }

  hold(bytes: number): void {
    if (this.closed) return
    this.held += bytes
    this.memory.add(bytes)
    if (bytes < 0) this.onHeldReleased?.()
  }

  wait(bytes: number): void {
    if (this.closed) return
    this.waiting += bytes
    this.memory.add(bytes)
    if (bytes > 0) this.onWaiting?.()
  }

  /** States the bytes of the ring as they are now. */
  keep(ring: number): void {
    if (this.closed || ring === this.ring) return
    this.memory.add(ring - this.ring)
    this.ring = ring
  }

  /** The connection is gone, and everything with it. */
  close(): void {
    this.memory.add(-this.bytes)
    this.closed = true
    this.buffered = this.held = this.waiting = this.ring = 0
    this.onHeldReleased = undefined
    this.onWaiting = undefined
  }
}
