// How large the windows of a connection should be: towards twice what fits in its round trip.
//   in  -> windows that grant; round trips
//   out -> new sizes
// Pure. A stream's own rate times the least round trip seen is what must be on the way to keep the
// line busy; twice that leaves room for a late CREDIT and still keeps a small call behind it quick.
// With a mean in place of the least we would measure our own queue, and grow without end.

import type { ReceiveBudget } from './budget.ts'

/** A window whose size can change. */
export interface Tunable {
  /** Bytes received so far. */
  readonly received: number
  /** The size it has now, in bytes. */
  readonly target: number
  resize(size: number): void
}

const leastWindow = 128 * 1024
const mostWindow = 8 * 1024 * 1024
/**
 * A window never shrinks below this share of the one that was announced: a quarter of that is
 * granted at a time, and a CREDIT below 1/64 of the announced window counts as abuse.
 */
const leastShare = 1 / 16

/** A round trip longer than the least by this factor, and by this much, has a queue of ours in it. */
const queueFactor = 2
const queueMs = 5
/** From this factor on the line is full: a larger window would only make the queue longer. */
const fullFactor = 1.6
/** Up to this factor, and this much more, it has none. */
const clearFactor = 1.15
const clearMs = 0.5
/**
 * A stream that uses so much of its window in a round trip without a queue is held back by it. What
 * is measured comes in steps of a fragment, and of a quarter of the window, so it says too little:
 * such a window doubles whatever the measure says. Growing by half, a line of 200 ms and 100 Mbit/s
 * is at 39 % after 3 s, for the samples that are free are used up by then.
 */
const usedShare = 0.75
const stepFactor = 2

export class WindowTuner {
  private readonly budget: ReceiveBudget
  private readonly least: number
  private readonly most: number
  private readonly windows = new Set<Tunable>()
  /** Bytes received by each when the PING went out; empty while none is out. */
  private readonly marks = new Map<Tunable, number>()
  private readonly sample: (done: (roundTripMs: number, leastMs: number) => void) => boolean

  /** `announced`: the window that this side has stated, in bytes. `sample` sends a PING if one may be sent now, and answers whether it has. */
  constructor(
    budget: ReceiveBudget,
    announced: number,
    sample: (done: (roundTripMs: number, leastMs: number) => void) => boolean,
  ) {
    this.budget = budget
    this.least = Math.max(leastWindow, announced * leastShare)
    this.most = Math.max(mostWindow, announced)
    this.sample = sample
  }

  /** The largest window now, in bytes; 0 without any. */
  get largest(): number {
    return [...this.windows].reduce((most, { target }) => Math.max(most, target), 0)
  }

  /** Windows that are looked at. */
  get length(): number {
    return this.windows.size
  }

  /** A window is about to grant: its peer has used a good part of it. */
  onGrant(window: Tunable): void {
    this.windows.add(window)
    if (!this.sample((roundTripMs, leastMs) => this.judge(roundTripMs, leastMs))) return
    for (const each of this.windows) this.marks.set(each, each.received)
  }

  leave(window: Tunable): void {
    this.windows.delete(window)
    this.marks.delete(window)
  }

  private judge(roundTripMs: number, leastMs: number): void {
    const queued = roundTripMs >= leastMs * queueFactor && roundTripMs - leastMs >= queueMs
    const full = roundTripMs >= leastMs * fullFactor && roundTripMs - leastMs >= queueMs
    const clear = roundTripMs <= leastMs * clearFactor + clearMs
    for (const [window, mark] of this.marks) {
      const size = window.target
      const measured = (2 * (window.received - mark) * leastMs) / Math.max(roundTripMs, 0.01)
      const heldBack = clear && measured >= size * usedShare
      const ideal = heldBack ? Math.max(measured, size * stepFactor) : measured
      if (ideal > size && !full && this.budget.roomy)
        window.resize(Math.min(this.most, 2 * size, Math.ceil(ideal)))
      // Without a queue of ours a lower rate is the sender's choice, or its application's.
      else if (ideal < size && queued && size > this.least)
        window.resize(Math.max(this.least, size / 2, Math.ceil(ideal)))
    }
    this.marks.clear()
  }
}
