// Time that stands still until a test moves it.
//   in  -> `advance(ms)`
//   out -> a `Clock`: timers run in the order they are due, at exactly their millisecond
// Chance is seeded: the same seed gives the same run.

import type { Clock, TimerHandle } from '@callbox/core/internal'

interface Pending {
  readonly dueAt: number
  readonly order: number
  readonly callback: () => void
}

/** Node has a way that takes no time: `setTimeout` never takes less than a millisecond. */
const nextTurn: (callback: () => void) => void =
  typeof setImmediate === 'function' ? setImmediate : (callback) => void setTimeout(callback, 0)

export class VirtualClock implements Clock {
  private at = 0
  private order = 0
  private state: number
  private readonly pending = new Set<Pending>()

  /** `seed` of everything random. */
  constructor(seed = 1) {
    this.state = seed >>> 0
  }

  now(): number {
    return this.at
  }

  setTimer(callback: () => void, delayMs: number): TimerHandle {
    this.order += 1
    const timer: Pending = { dueAt: this.at + Math.max(0, delayMs), order: this.order, callback }
    this.pending.add(timer)
    return timer
  }

  clearTimer(timer: TimerHandle): void {
    this.pending.delete(timer as Pending)
  }

  endOfTurn(callback: () => void): void {
    queueMicrotask(() => queueMicrotask(callback))
  }

  /** mulberry32. */
  random(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  randomBytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => Math.floor(this.random() * 256))
  }

  /** Timers that have not fired. */
  get pendingTimers(): number {
    return this.pending.size
  }

  /** Moves time on, and runs what is due on the way, with everything that follows from it. */
  async advance(ms: number): Promise<void> {
    const until = this.at + ms
    await this.settle()
    for (let timer = this.first(until); timer !== undefined; timer = this.first(until)) {
      this.at = Math.max(this.at, timer.dueAt)
      this.pending.delete(timer)
      timer.callback()
      await this.settle()
    }
    this.at = until
  }

  /** The process stands still for so long: what is due meanwhile fires late, at the next `advance`. */
  stall(ms: number): void {
    this.at += ms
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    // A turn of the event loop empties the queue of microtasks, however long it grows meanwhile.
    for (let turn = 0; turn < 3; turn += 1) await new Promise<void>(nextTurn)
  }

  private first(until: number): Pending | undefined {
    let first: Pending | undefined
    for (const timer of this.pending) {
      if (timer.dueAt > until) continue
      if (
        first === undefined ||
        timer.dueAt < first.dueAt ||
        (timer.dueAt === first.dueAt && timer.order < first.order)
      )
        first = timer
    }
    return first
  }
}
