// How late the event loop is, as the median over the last second: whether this side has more work than
// it can do.
//   in  -> a timer that should fire in time, and does not
//   out -> the lag in milliseconds; whether it has been too much for long enough
// One long turn is no overload: the median of many ticks is looked at, never a single one.

import type { Clock, TimerHandle } from './clock.ts'

const tickMs = 50

export class LagMonitor {
  private readonly clock: Clock
  private readonly maxLagMs: number
  private readonly forMs: number
  private readonly samples: { readonly at: number; readonly lagMs: number }[] = []
  private timer: TimerHandle
  private dueAt = 0
  /** The median lag was above `maxLagMs` for `forMs`. Known from tick to tick: every call asks. */
  overloaded = false

  constructor(clock: Clock, limits: { readonly maxLagMs: number; readonly lagMs: number }) {
    this.clock = clock
    this.maxLagMs = limits.maxLagMs
    this.forMs = limits.lagMs
  }

  /** Begins to watch. Idempotent. Keeps no process alive where timers can be told not to. */
  start(): void {
    if (this.timer !== undefined) return
    this.dueAt = this.clock.now() + tickMs
    this.timer = this.clock.setTimer(() => this.tick(), tickMs)
    keepNothingAlive(this.timer)
  }

  /** Stops. Idempotent. */
  stop(): void {
    if (this.timer !== undefined) this.clock.clearTimer(this.timer)
    this.timer = undefined
    this.samples.length = 0
    this.overloaded = false
  }

  /** Median lag of what was seen within `forMs`, in milliseconds; 0 without samples. */
  get medianMs(): number {
    if (this.samples.length === 0) return 0
    const sorted = this.samples.map(({ lagMs }) => lagMs).sort((a, b) => a - b)
    return sorted[sorted.length >> 1]!
  }

  private tick(): void {
    const now = this.clock.now()
    this.samples.push({ at: now, lagMs: Math.max(0, now - this.dueAt) })
    while (this.samples[0]!.at < now - this.forMs) this.samples.shift()
    // A second of samples must be there: a process that has just started is not overloaded.
    const enough = now - this.samples[0]!.at >= this.forMs * 0.8
    this.overloaded = enough && this.medianMs > this.maxLagMs
    this.timer = undefined
    this.start()
  }
}

function keepNothingAlive(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer) {
    const { unref } = timer
    if (typeof unref === 'function') unref.call(timer)
  }
}
