// How long a PING takes to come back, and when to send one only to know that.
//   in  -> the present; PINGs sent, PONGs received
//   out -> round trips in milliseconds, the least of them
// Pure. Samples stay far inside what a peer allows (10, then one a second): the first five are free,
// then one each two seconds, and never more than one PING is out.

const freeSamples = 5
const sampleEveryMs = 2_000

export class RoundTrip {
  /** The least seen on this link, in milliseconds; Infinity before the first. */
  leastMs: number = Infinity
  lastMs: number = Infinity
  private sentAt = -1
  private free = freeSamples
  private nextSampleAt = 0

  /** Whether a PING is on its way. */
  get outstanding(): boolean {
    return this.sentAt >= 0
  }

  /** Whether a PING may be sent for a sample now; counts it. */
  maySample(now: number): boolean {
    if (this.outstanding) return false
    if (this.free > 0) this.free -= 1
    else if (now < this.nextSampleAt) return false
    this.nextSampleAt = now + sampleEveryMs
    return true
  }

  sent(now: number): void {
    this.sentAt = now
  }

  /** The answer to the PING that is out. */
  answered(now: number): void {
    this.lastMs = now - this.sentAt
    this.leastMs = Math.min(this.leastMs, this.lastMs)
    this.sentAt = -1
  }
}
