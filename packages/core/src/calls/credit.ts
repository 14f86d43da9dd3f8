// Credit: how many bytes one side may send on a stream, and how many the other has promised.
//   in  -> costs of frames sent and received, bytes that the application has taken
//   out -> may it be sent; was it promised; how much to grant now
// Pure. What a frame costs is in `frameCostOf`; when a message counts as taken is up to the reader.

/** A sum of credit above this is a violation: it fits in 31 bits. */
const maxCredit = 2 ** 31 - 1

/** What this side may still send. */
export class SendCredit {
  /** Bytes. */
  available: number

  constructor(window: number) {
    this.available = window
  }

  covers(cost: number): boolean {
    return cost <= this.available
  }

  spend(cost: number): void {
    this.available -= cost
  }

  /** False: the peer granted nothing, or more than anyone may hold. */
  grant(bytes: number): boolean {
    if (bytes === 0 || this.available + bytes > maxCredit) return false
    this.available += bytes
    return true
  }
}

/** What this side has promised to take. */
export class ReceiveWindow {
  private readonly size: number
  private granted: number
  private received = 0
  private taken = 0

  constructor(size: number) {
    this.size = size
    this.granted = size
  }

  /** Counts a frame. False: it was not promised. */
  receive(cost: number): boolean {
    if (this.received + cost > this.granted) return false
    this.received += cost
    return true
  }

  /**
   * Counts bytes that need no room any more. Answers what to grant now: 0 until a quarter of the
   * window is owed, for a CREDIT per item would cost more than the items.
   */
  take(cost: number): number {
    this.taken += cost
    const owed = this.taken + this.size - this.granted
    if (owed * 4 < this.size) return 0
    this.granted += owed
    return owed
  }

  /** Bytes that the peer may still send. */
  get unused(): number {
    return this.granted - this.received
  }
}
