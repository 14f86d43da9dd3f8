// Whether the peer takes what is sent to it: a reader that only dribbles is as bad as one that has gone.
//   in  -> the present, bytes that have left, the position acknowledged, from time to time
//   out -> a verdict
// Pure. Progress is 1 KiB in 10 s: one byte a second would keep a queue of 4 MiB alive for weeks.

const progressBytes = 1_024
const longestCheckMs = 10_000

export interface Outgoing {
  /** Bytes that the link has taken and passed on, since the session began. */
  readonly left: number
  /** Bytes that the link still has. */
  readonly unsent: number
  /** Whether the ring is full. */
  readonly full: boolean
  /** Position up to which the peer has acknowledged. */
  readonly acknowledged: number
}

export type ProgressVerdict =
  /** Nothing waits: no need to look again. */
  | 'idle'
  | 'wait'
  /** Nothing has left within `stallMs`. */
  | 'unsent'
  /** The ring is full, and nothing was acknowledged within `stallMs`. */
  | 'unacknowledged'

export class Progress {
  /** When something was last known to move; negative while nothing waits. */
  private movedAt = -1
  private left = 0
  private acknowledged = 0
  private readonly stallMs: number

  constructor(stallMs: number) {
    this.stallMs = stallMs
  }

  /** Milliseconds between two looks. */
  get checkMs(): number {
    return Math.min(longestCheckMs, Math.max(1, this.stallMs / 3))
  }

  /** Something begins to wait. */
  begin(now: number, outgoing: Outgoing): void {
    this.movedAt = now
    this.remember(outgoing)
  }

  check(now: number, outgoing: Outgoing): ProgressVerdict {
    const stuck = outgoing.unsent > 0 && outgoing.left - this.left < progressBytes
    const unanswered = outgoing.full && outgoing.acknowledged === this.acknowledged
    this.remember(outgoing)
    if (outgoing.unsent === 0 && !outgoing.full) {
      this.movedAt = -1
      return 'idle'
    }
    if (!stuck && !unanswered) this.movedAt = now
    if (now - this.movedAt < this.stallMs) return 'wait'
    return stuck ? 'unsent' : 'unacknowledged'
  }

  /** Since when nothing has moved, of what waits; undefined if it moves or nothing waits. */
  stalledSince(outgoing: Outgoing): number | undefined {
    const stuck = outgoing.unsent > 0 && outgoing.left - this.left < progressBytes
    return this.movedAt >= 0 && stuck ? this.movedAt : undefined
  }

  private remember(outgoing: Outgoing): void {
    this.left = outgoing.left
    this.acknowledged = outgoing.acknowledged
  }
}
