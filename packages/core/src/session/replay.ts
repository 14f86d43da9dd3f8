// Positions, and the ring of frames sent and not yet acknowledged.
//   in  -> ranges of frames as they go to the link; positions that the peer has received
//   out -> how many frames were sent, how many bytes are held; the frames again, for a new link
// A position is implied: the number of stream frames so far, modulo 2^32. It costs no byte on the
// wire. Frames are kept as ranges, for the link gives every buffer back unchanged.

import { rewriteDeadline } from '../frames/fields.ts'
import { frameRoom } from '../link/link.ts'

/** Fragments leave this share of the ring to single frames. */
const fragmentShare = 15 / 16
/** CANCEL, CREDIT, END and ERROR may exceed the ring by this much, in bytes. */
const controlSpare = 64 * 1024

const firstCapacity = 32
/** Kept however empty the ring is: one that fills and empties all the time does not allocate. */
const keptCapacity = 1_024

/** Where a position of the peer stands: retained, ahead of what was sent, or already dropped. */
export type Retention = 'retained' | 'ahead' | 'dropped'

export class ReplayRing {
  /** Position of the last frame sent. */
  sent = 0
  /** Bytes charged: frame + 64 each, so that many empty frames are not free. */
  bytes = 0
  private buffers: (Uint8Array | undefined)[] = new Array<undefined>(firstCapacity).fill(undefined)
  private starts: number[] = new Array<number>(firstCapacity).fill(0)
  private ends: number[] = new Array<number>(firstCapacity).fill(0)
  /** When the deadline passes that a REQUEST states; Infinity for all others. */
  private deadlines: number[] = new Array<number>(firstCapacity).fill(Infinity)
  private head = 0
  private count = 0
  private readonly limit: number
  private readonly frameCost: number

  /** `limit` and `frameCost` in bytes. `sent`: the position to begin with, for tests of the wrap. */
  constructor(limit: number, frameCost: number, sent: number = 0) {
    this.limit = limit
    this.frameCost = frameCost
    this.sent = sent
  }

  /** Frames held. */
  get length(): number {
    return this.count
  }

  /** Position up to which the peer has acknowledged. */
  get acknowledged(): number {
    return (this.sent - this.count) >>> 0
  }

  /** Whether another frame may be sent. */
  hasRoom(fragment: boolean): boolean {
    return this.bytes < (fragment ? this.limit * fragmentShare : this.limit)
  }

  /** Whether CANCEL, CREDIT, END or ERROR may still be sent: they may exceed the ring a little. */
  get hasRoomForControl(): boolean {
    return this.bytes < this.limit + controlSpare
  }

  /**
   * Gives the next position to a frame that goes to the link now. `deadlineAt`: when the deadline
   * passes that the frame states, for it must say what is left then if it goes out once more.
   */
  push(buffer: Uint8Array, start: number, end: number, deadlineAt: number = Infinity): void {
    if (this.count === this.buffers.length) this.grow()
    const at = (this.head + this.count) & (this.buffers.length - 1)
    this.buffers[at] = buffer
    this.starts[at] = start
    this.ends[at] = end
    this.deadlines[at] = deadlineAt
    this.count += 1
    this.bytes += end - start + this.frameCost
    this.sent = (this.sent + 1) >>> 0
  }

  /** Whether the peer, having received up to `position`, can be sent everything behind it. */
  retention(position: number): Retention {
    const behind = (position - this.acknowledged) >>> 0
    if (behind <= this.count) return 'retained'
    // Serial-number order: more than half of the range ahead means behind.
    return behind >= 2 ** 31 ? 'dropped' : 'ahead'
  }

  /**
   * Takes the frame behind `position` out to be sent again, with what is left of its deadline at
   * `now`. `position` must be retained and not the last one sent.
   */
  again(position: number, now: number): { buffer: Uint8Array; start: number; end: number } {
    const index = (position - this.acknowledged) >>> 0
    const at = (this.head + index) & (this.buffers.length - 1)
    const buffer = this.buffers[at]!
    const start = this.starts[at]!
    const deadlineAt = this.deadlines[at]!
    if (deadlineAt !== Infinity) rewriteDeadline(buffer, start, deadlineAt - now)
    return { buffer, start, end: this.ends[at]! }
  }

  /** Copies the frames into one buffer, for a session without a link must not pin larger ones. */
  compact(): void {
    let size = 0
    for (let index = 0; index < this.count; index += 1) {
      const at = (this.head + index) & (this.buffers.length - 1)
      size += frameRoom + this.ends[at]! - this.starts[at]!
    }
    const all = new Uint8Array(size)
    let next = 0
    for (let index = 0; index < this.count; index += 1) {
      const at = (this.head + index) & (this.buffers.length - 1)
      const start = next + frameRoom
      all.set(this.buffers[at]!.subarray(this.starts[at], this.ends[at]), start)
      next = start + this.ends[at]! - this.starts[at]!
      this.buffers[at] = all
      this.starts[at] = start
      this.ends[at] = next
    }
  }

  /**
   * Drops what the peer has received. False: the position is ahead of what was sent. A position
   * that goes back is ignored.
   */
  acknowledge(position: number): boolean {
    const retention = this.retention(position)
    if (retention !== 'retained') return retention === 'dropped'
    const dropped = (position - this.acknowledged) >>> 0
    for (let index = 0; index < dropped; index += 1) this.dropFirst()
    if (this.count === 0 && this.buffers.length > keptCapacity) this.shrink()
    return true
  }

  private dropFirst(): void {
    const at = this.head
    this.bytes -= this.ends[at]! - this.starts[at]! + this.frameCost
    this.buffers[at] = undefined
    this.head = (at + 1) & (this.buffers.length - 1)
    this.count -= 1
  }

  private grow(): void {
    const capacity = this.buffers.length
    const order = Array.from(
      { length: capacity },
      (_, index) => (this.head + index) & (capacity - 1),
    )
    const spare = new Array<number>(capacity).fill(0)
    const never = new Array<number>(capacity).fill(Infinity)
    this.buffers = [
      ...order.map((at) => this.buffers[at]),
      ...new Array<undefined>(capacity).fill(undefined),
    ]
    this.starts = [...order.map((at) => this.starts[at]!), ...spare]
    this.ends = [...order.map((at) => this.ends[at]!), ...spare]
    this.deadlines = [...order.map((at) => this.deadlines[at]!), ...never]
    this.head = 0
  }

  /** After a burst the memory goes back. */
  private shrink(): void {
    this.buffers = new Array<undefined>(firstCapacity).fill(undefined)
    this.starts = new Array<number>(firstCapacity).fill(0)
    this.ends = new Array<number>(firstCapacity).fill(0)
    this.deadlines = new Array<number>(firstCapacity).fill(Infinity)
    this.head = 0
  }
}
