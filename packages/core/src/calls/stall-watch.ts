// Streams whose reader grants nothing more: they hold their slot for ever, unless a limit says how long.
//   in  -> the calls that run, a look from time to time
//   out -> those that have waited for credit too long
// Off by default: a reader may have its reasons, and what it holds is bounded by its window.

import type { Clock } from '../base/clock.ts'
import { Timer, type Timers } from '../base/timers.ts'

/** Looks within one limit. */
const looks = 4

export interface Stallable {
  /** Credit that is left while a message waits for more; undefined if none waits. */
  readonly stuckCredit: number | undefined
}

export interface StallWatchParts {
  readonly clock: Clock
  readonly timers: Timers
  /** Milliseconds; 0: streams may stand still for ever. */
  readonly streamStallMs: number
}

export class StallWatch<C extends Stallable> {
  private readonly parts: StallWatchParts
  private readonly calls: () => readonly C[]
  private readonly onStalled: (call: C) => void
  private stuck = new Map<C, { readonly credit: number; readonly since: number }>()
  private readonly timer = new Timer(() => this.look())

  constructor(parts: StallWatchParts, calls: () => readonly C[], onStalled: (call: C) => void) {
    this.parts = parts
    this.calls = calls
    this.onStalled = onStalled
  }

  /** A call has begun. */
  begin(): void {
    const { streamStallMs, timers } = this.parts
    if (streamStallMs > 0 && !this.timer.armed) timers.arm(this.timer, streamStallMs / looks)
  }

  /** The session is over. */
  close(): void {
    this.parts.timers.disarm(this.timer)
    this.stuck.clear()
  }

  private look(): void {
    const now = this.parts.clock.now()
    const before = this.stuck
    const calls = this.calls()
    this.stuck = new Map()
    for (const call of calls) {
      const credit = call.stuckCredit
      if (credit === undefined) continue
      const known = before.get(call)
      const since = known?.credit === credit ? known.since : now
      if (now - since >= this.parts.streamStallMs) this.onStalled(call)
      else this.stuck.set(call, { credit, since })
    }
    if (calls.length > 0) this.begin()
  }
}
