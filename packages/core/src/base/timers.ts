// Any number of timeouts on one timer of the clock: a hierarchical timing wheel (Varghese and Lauck,
// SOSP 1987), 64 slots a level, one millisecond in the lowest.
//   in  -> timers to arm and disarm, both in constant time: every call has one
//   out -> their callbacks, never early, in order of the millisecond they are due
// The timer of the clock is set when an earlier one is armed and not taken back for every disarm.

import type { Clock, TimerHandle } from './clock.ts'

const slotBits = 6
const slotCount = 2 ** slotBits
const levelCount = 6
/** What the highest level can tell apart; a longer timeout is put there again when it comes up. */
const longest = slotCount ** levelCount - 1

/** One timeout. Belongs to one wheel while it is armed. */
export class Timer {
  armed = false
  /** For the wheel. */
  dueAt = 0
  previous: Timer | undefined
  next: Timer | undefined
  slot = 0
  readonly callback: () => void

  constructor(callback: () => void) {
    this.callback = callback
  }
}

export class Timers {
  private readonly clock: Clock
  private readonly slots: (Timer | undefined)[] = new Array<undefined>(slotCount * levelCount).fill(undefined)
  private count = 0
  /** The last millisecond that has been run. */
  private current: number
  private host: TimerHandle | undefined
  private hostDueAt = Infinity
  private clearing = false

  constructor(clock: Clock) {
    this.clock = clock
    this.current = Math.floor(clock.now())
  }

  /** Timers armed. */
  get length(): number {
    return this.count
  }

  /** Calls the timer back in `delayMs` milliseconds. An armed timer is moved. */
  arm(timer: Timer, delayMs: number): void {
    if (timer.armed) this.unlink(timer)
    const now = this.clock.now()
    if (this.count === 0) this.current = Math.floor(now)
    timer.dueAt = Math.max(this.current + 1, Math.ceil(now + Math.max(0, delayMs)))
    this.link(timer)
    if (timer.dueAt < this.hostDueAt) this.setHost(timer.dueAt)
  }

  /** Harmless for a timer that is not armed. */
  disarm(timer: Timer): void {
    if (!timer.armed) return
    this.unlink(timer)
    if (this.count === 0) this.clearSoon()
  }

  private link(timer: Timer): void {
    const ahead = Math.min(longest, timer.dueAt - this.current)
    const level = Math.min(levelCount - 1, Math.floor((31 - Math.clz32(ahead)) / slotBits))
    const tick = Math.floor((this.current + ahead) / slotCount ** level)
    const slot = level * slotCount + (tick % slotCount)
    const first = this.slots[slot]
    timer.slot = slot
    timer.previous = undefined
    timer.next = first
    if (first !== undefined) first.previous = timer
    this.slots[slot] = timer
    timer.armed = true
    this.count += 1
  }

  private unlink(timer: Timer): void {
    const { previous, next } = timer
    if (previous === undefined) this.slots[timer.slot] = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
    timer.previous = timer.next = undefined
    timer.armed = false
    this.count -= 1
  }

  /** A process in which nothing waits must be able to end: the clock's timer goes, but once a turn. */
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
    this.host = this.clock.setTimer(this.run, Math.max(0, dueAt - this.clock.now()))
  }

  private readonly run = (): void => {
    this.host = undefined
    this.hostDueAt = Infinity
    const now = Math.floor(this.clock.now())
    try {
      while (this.current < now && this.count > 0) this.tick()
    } finally {
      // Also if a callback threw: the other timers go on.
      if (this.count === 0) this.current = Math.max(this.current, now)
      else if (this.hostDueAt === Infinity) this.setHost(this.nextDueAt())
    }
  }

  /** One millisecond: higher levels come down first, then what is due is called. */
  private tick(): void {
    this.current += 1
    for (let level = 1; level < levelCount; level += 1) {
      const width = slotCount ** level
      if (this.current % width !== 0) break
      this.lower(level * slotCount + (Math.floor(this.current / width) % slotCount))
    }
    const slot = this.current % slotCount
    for (let timer = this.slots[slot]; timer !== undefined; timer = this.slots[slot]) {
      this.unlink(timer)
      if (timer.dueAt > this.current) this.link(timer)
      else timer.callback()
    }
  }

  private lower(slot: number): void {
    let timer = this.slots[slot]
    this.slots[slot] = undefined
    while (timer !== undefined) {
      const { next } = timer
      timer.previous = timer.next = undefined
      this.count -= 1
      if (timer.dueAt <= this.current) {
        // Due in this very millisecond: the lowest slot is run next.
        timer.dueAt = this.current
        this.linkNow(timer)
      } else this.link(timer)
      timer = next
    }
  }

  private linkNow(timer: Timer): void {
    const slot = this.current % slotCount
    const first = this.slots[slot]
    timer.slot = slot
    timer.next = first
    if (first !== undefined) first.previous = timer
    this.slots[slot] = timer
    this.count += 1
  }

  /** A moment at which something may be due; not after the first that is. */
  private nextDueAt(): number {
    let earliest = Infinity
    for (let level = 0; level < levelCount; level += 1) {
      const width = slotCount ** level
      const tick = Math.floor(this.current / width)
      for (let ahead = 1; ahead <= slotCount; ahead += 1) {
        if ((tick + ahead) * width >= earliest) break
        if (this.slots[level * slotCount + ((tick + ahead) % slotCount)] === undefined) continue
        earliest = (tick + ahead) * width
        break
      }
    }
    return earliest
  }
}
