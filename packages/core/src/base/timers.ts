// Any number of timeouts on one timer of the clock: a hierarchical timing wheel (Varghese and Lauck,
// SOSP 1987) of six levels with 64 slots each, one millisecond in the lowest.
//   in  -> timers to arm and disarm, both in constant time: every call has one
//   out -> their callbacks, never early, in order of the millisecond they are due
// The timer of the clock is set anew only for an earlier timeout. Disarming leaves it as it is: it
// then fires for nothing once and is set to the next timeout. Only when the last timeout is disarmed
// is it taken back, once a turn, so that a process in which nothing waits can end.

import type { Clock, TimerHandle } from './clock.ts'

const slotBits = 6
const slotCount = 2 ** slotBits
const levelCount = 6
/** What the highest level can tell apart; a longer timeout is put there again when it comes up. */
const longest = slotCount ** levelCount - 1

/**
 * A timer that is called so much too late, in milliseconds, says that the process stood still: what
 * has arrived meanwhile is still to be read, and whoever judges a peer waits for that.
 */
export const standstillMs = 500

/** One timeout. Belongs to one wheel while it is armed. */
export class Timer {
  armed = false
  /** For the wheel. */
  dueAt = 0
  previous: Timer | undefined
  next: Timer | undefined
  slot = 0
  readonly callback: () => void

  /** `callback` may arm and disarm any timer, this one too. */
  constructor(callback: () => void) {
    this.callback = callback
  }
}

export class Timers {
  private readonly clock: Clock
  private readonly onError: ((error: unknown) => void) | undefined
  /** First and last timer of each slot. */
  private readonly heads: (Timer | undefined)[] = emptySlots()
  private readonly tails: (Timer | undefined)[] = emptySlots()
  private count = 0
  /** The last millisecond that has been run. May lie far back: nothing was due since. */
  private current: number
  /** Undefined while none is set. */
  private host: TimerHandle
  private hostDueAt = Infinity
  private running = false
  private clearing = false
  private closed = false

  /**
   * `onError` takes what a callback throws. Without it the first such error is thrown out of the
   * clock's timer, after every other callback of that moment has run.
   */
  constructor(clock: Clock, onError?: (error: unknown) => void) {
    this.clock = clock
    this.onError = onError
    this.current = Math.floor(clock.now())
  }

  /** Timers armed. */
  get length(): number {
    return this.count
  }

  /** Calls the timer back in `delayMs` milliseconds. An armed timer is moved. */
  arm(timer: Timer, delayMs: number): void {
    this.armAt(timer, this.clock.now() + Math.max(0, delayMs))
  }

  /**
   * Calls the timer back when the clock says `dueAt` (milliseconds, as `clock.now()` counts them);
   * soon, but never before this returns, if that is over. Saves a look at the clock against `arm`.
   */
  armAt(timer: Timer, dueAt: number): void {
    if (timer.armed) this.unlink(timer)
    if (this.closed) return
    timer.dueAt = Math.max(this.current + 1, Math.ceil(dueAt))
    this.link(timer)
    if (timer.dueAt < this.hostDueAt && !this.running) this.setHost(timer.dueAt)
  }

  /** Harmless for a timer that is not armed. */
  disarm(timer: Timer): void {
    if (!timer.armed) return
    this.unlink(timer)
    if (this.count === 0) this.clearSoon()
  }

  /** Disarms every timer, for good: arming does nothing afterwards. Idempotent. */
  close(): void {
    this.closed = true
    for (const head of this.heads)
      for (let timer = head; timer !== undefined;) {
        const { next } = timer
        this.unlink(timer)
        timer = next
      }
    this.clearHost()
  }

  /** Puts the timer where its millisecond is told apart from the current one. */
  private link(timer: Timer): void {
    const ahead = Math.min(longest, timer.dueAt - this.current)
    let level = 0
    let width = 1
    while (ahead >= width * slotCount) {
      width *= slotCount
      level += 1
    }
    const slot = level * slotCount + (Math.floor((this.current + ahead) / width) % slotCount)
    const last = this.tails[slot]
    timer.slot = slot
    timer.previous = last
    timer.next = undefined
    if (last === undefined) this.heads[slot] = timer
    else last.next = timer
    this.tails[slot] = timer
    timer.armed = true
    this.count += 1
  }

  private unlink(timer: Timer): void {
    const { previous, next } = timer
    if (previous === undefined) this.heads[timer.slot] = next
    else previous.next = next
    if (next === undefined) this.tails[timer.slot] = previous
    else next.previous = previous
    timer.previous = timer.next = undefined
    timer.armed = false
    this.count -= 1
  }

  private clearSoon(): void {
    if (this.clearing || this.host === undefined) return
    this.clearing = true
    this.clock.endOfTurn(() => {
      this.clearing = false
      if (this.count === 0) this.clearHost()
    })
  }

  private clearHost(): void {
    if (this.host !== undefined) this.clock.clearTimer(this.host)
    this.host = undefined
    this.hostDueAt = Infinity
  }

  private setHost(dueAt: number): void {
    if (this.host !== undefined) this.clock.clearTimer(this.host)
    this.hostDueAt = dueAt
    // Whole milliseconds: setTimeout cuts fractions off and would wake too early.
    this.host = this.clock.setTimer(this.run, Math.max(0, Math.ceil(dueAt - this.clock.now())))
  }

  private readonly run = (): void => {
    this.host = undefined
    this.hostDueAt = Infinity
    this.running = true
    const failed: unknown[] = []
    const now = Math.floor(this.clock.now())
    let next = this.nextDueAt()
    for (; next <= now; next = this.nextDueAt()) {
      this.current = next
      this.runMillisecond(failed)
    }
    // No slot begins in between, so every timer stays where it would be put now.
    this.current = Math.max(this.current, now)
    this.running = false
    if (next !== Infinity) this.setHost(next)
    if (this.onError !== undefined) for (const error of failed) this.onError(error)
    else if (failed.length > 0) throw failed[0]
  }

  /** Higher levels come down first, then what is due is called. */
  private runMillisecond(failed: unknown[]): void {
    for (
      let level = levelCount - 1, width = slotCount ** level;
      level > 0;
      level -= 1, width /= slotCount
    )
      if (this.current % width === 0)
        this.lower(level * slotCount + ((this.current / width) % slotCount))
    const slot = this.current % slotCount
    // A callback may disarm its neighbour: the head is read anew each time. What callbacks arm is
    // due later and never lands in this slot.
    for (let timer = this.heads[slot]; timer !== undefined; timer = this.heads[slot]) {
      this.unlink(timer)
      try {
        timer.callback()
      } catch (error) {
        failed.push(error)
      }
    }
  }

  /** Moves the timers of a slot to where they belong now; those due at once to the lowest level. */
  private lower(slot: number): void {
    let timer = this.heads[slot]
    this.heads[slot] = this.tails[slot] = undefined
    while (timer !== undefined) {
      const { next } = timer
      this.count -= 1
      this.link(timer)
      timer = next
    }
  }

  /** A moment at which a slot must be looked at; not after the first timer that is due. */
  private nextDueAt(): number {
    let earliest = Infinity
    if (this.count === 0) return earliest
    for (let level = 0, width = 1; level < levelCount; level += 1, width *= slotCount) {
      const tick = Math.floor(this.current / width)
      for (let ahead = 1; ahead <= slotCount; ahead += 1) {
        if ((tick + ahead) * width >= earliest) break
        if (this.heads[level * slotCount + ((tick + ahead) % slotCount)] === undefined) continue
        earliest = (tick + ahead) * width
        break
      }
    }
    return earliest
  }
}

function emptySlots(): undefined[] {
  return new Array<undefined>(slotCount * levelCount).fill(undefined)
}
