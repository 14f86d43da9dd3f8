// Silence and PINGs: when to ask whether the peer is alive, when to give it up.
//   in  -> the present, signs of life
//   out -> what to do now, and when to look again
// Pure: times in milliseconds of the session's clock. Any byte of the peer is a sign of life.

export type Verdict = 'wait' | 'ping' | 'dead'

export interface KeepaliveTerms {
  /** Silence after which a PING is sent, in milliseconds. */
  readonly intervalMs: number
  /** Silence after that PING until the link is given up, in milliseconds. */
  readonly timeoutMs: number
}

/**
 * A browser throttles the timers of a hidden page but delivers messages: so the server asks, and
 * the client only waits this much longer than the server would.
 */
const clientPatienceMs = 5_000

export class Keepalive {
  private heardAt: number
  private pingedAt = -1
  private readonly terms: KeepaliveTerms
  private readonly asks: boolean

  /** `asks`: this side sends PINGs by itself (the server's side). */
  constructor(terms: KeepaliveTerms, asks: boolean, now: number) {
    this.terms = terms
    this.asks = asks
    this.heardAt = now
  }

  heard(now: number): void {
    this.heardAt = now
    this.pingedAt = -1
  }

  /** A PING has gone out. */
  asked(now: number): void {
    this.pingedAt = now
  }

  /** Called when `nextMs` is over. */
  judge(now: number): Verdict {
    const { intervalMs, timeoutMs } = this.terms
    const silence = now - this.heardAt
    if (!this.asks) return silence >= intervalMs + timeoutMs + clientPatienceMs ? 'dead' : 'wait'
    if (this.pingedAt >= 0) return now - this.pingedAt >= timeoutMs ? 'dead' : 'wait'
    return silence >= intervalMs ? 'ping' : 'wait'
  }

  /** Before something is sent: whether the silence is long enough to ask first. */
  wantsPing(now: number): boolean {
    return this.pingedAt < 0 && now - this.heardAt >= this.terms.intervalMs
  }

  /** Milliseconds until the next verdict can differ. */
  nextMs(now: number): number {
    const { intervalMs, timeoutMs } = this.terms
    if (!this.asks)
      return Math.max(1, this.heardAt + intervalMs + timeoutMs + clientPatienceMs - now)
    if (this.pingedAt >= 0) return Math.max(1, this.pingedAt + timeoutMs - now)
    return Math.max(1, this.heardAt + intervalMs - now)
  }
}
