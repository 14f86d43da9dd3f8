// Positions, and the ring of frames sent and not yet acknowledged.
//   in  -> ranges of frames as they go to the link; positions that the peer has received
//   out -> how many frames were sent, how many bytes are held
// A position is implied: the number of stream frames so far, modulo 2^32. It costs no byte on the
// wire. Frames are kept as ranges, for the link gives every buffer back unchanged.

/** Fragments leave this share of the ring to single frames. */
const fragmentShare = 15 / 16

const firstCapacity = 32

export class ReplayRing {
  /** Position of the last frame sent. */
  sent = 0
  /** Bytes charged: frame + 64 each, so that many empty frames are not free. */
  bytes = 0
  private buffers: (Uint8Array | undefined)[] = new Array<undefined>(firstCapacity).fill(undefined)
  private starts: number[] = new Array<number>(firstCapacity).fill(0)
  private ends: number[] = new Array<number>(firstCapacity).fill(0)
  private head = 0
  private count = 0
  private readonly limit: number
  private readonly frameCost: number

  /** `limit` and `frameCost` in bytes. */
  constructor(limit: number, frameCost: number) {
    this.limit = limit
    this.frameCost = frameCost
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

  /** Gives the next position to a frame that goes to the link now. */
  push(buffer: Uint8Array, start: number, end: number): void {
    if (this.count === this.buffers.length) this.grow()
    const at = (this.head + this.count) & (this.buffers.length - 1)
    this.buffers[at] = buffer
    this.starts[at] = start
    this.ends[at] = end
    this.count += 1
    this.bytes += end - start + this.frameCost
    this.sent = (this.sent + 1) >>> 0
  }

  /**
   * Drops what the peer has received. False: the position is ahead of what was sent. A position
   * that goes back is ignored.
   */
  acknowledge(position: number): boolean {
    const dropped = (position - this.acknowledged) >>> 0
    // Serial-number order: more than half of the range ahead means behind.
    if (dropped >= 2 ** 31) return true
    if (dropped > this.count) return false
    for (let index = 0; index < dropped; index += 1) this.dropFirst()
    if (this.count === 0 && this.buffers.length > firstCapacity) this.shrink()
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
    this.buffers = [
      ...order.map((at) => this.buffers[at]),
      ...new Array<undefined>(capacity).fill(undefined),
    ]
    this.starts = [...order.map((at) => this.starts[at]!), ...spare]
    this.ends = [...order.map((at) => this.ends[at]!), ...spare]
    this.head = 0
  }

  /** After a burst the memory goes back. */
  private shrink(): void {
    this.buffers = new Array<undefined>(firstCapacity).fill(undefined)
    this.starts = new Array<number>(firstCapacity).fill(0)
    this.ends = new Array<number>(firstCapacity).fill(0)
    this.head = 0
  }
}
