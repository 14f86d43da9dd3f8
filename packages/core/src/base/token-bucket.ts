// How often a peer may do what costs this side more than it costs the peer: a burst, then a rate.
//   in  -> the present; what is spent
//   out -> whether it was still allowed
// Pure: times in milliseconds of the session's clock.

export class TokenBucket {
  private left: number
  private at: number
  private readonly burst: number
  private readonly perSecond: number

  /** Holds `burst` tokens at most, and gets `perSecond` back each second. */
  constructor(burst: number, perSecond: number, now: number) {
    this.burst = burst
    this.perSecond = perSecond
    this.left = burst
    this.at = now
  }

  /** Takes one token. False: there is none left. */
  spend(now: number): boolean {
    this.left = Math.min(this.burst, this.left + ((now - this.at) * this.perSecond) / 1_000)
    this.at = now
    if (this.left < 1) return false
    this.left -= 1
    return true
  }

  /** Gives tokens back beyond what time brings. */
  refund(tokens: number): void {
    this.left = Math.min(this.burst, this.left + tokens)
  }
}
