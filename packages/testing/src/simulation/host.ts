// One process of a simulation: its clock, its timers, and how it stops.
//   in  -> timers of what runs there; freezes, crashes
//   out -> a `Clock`; events of the scheduler
// A host that is frozen notices nothing: its timers come late, then all at once. One that has crashed
// never runs again; another host takes its place.

import type { Clock, TimerHandle } from '@callbox/core/internal'
import type { Random } from './random.ts'
import { EventKind, type Owner, type Scheduler, type SimulatedEvent } from './scheduler.ts'

export class Host implements Owner {
  readonly name: string
  readonly ordinal: number
  /** For `createClient` and `createServer` of this host. */
  readonly clock: Clock
  frozenUntilUs = 0
  private frozenTotalMs = 0
  crashed = false
  private readonly scheduler: Scheduler
  private readonly timers = new Set<SimulatedEvent>()

  constructor(scheduler: Scheduler, name: string, ordinal: number, random: Random) {
    this.scheduler = scheduler
    this.name = name
    this.ordinal = ordinal
    this.clock = {
      now: () => scheduler.nowMs,
      setTimer: (callback, delayMs) => this.setTimer(callback, delayMs),
      clearTimer: (timer) => this.clearTimer(timer),
      endOfTurn: (callback) => {
        if (!this.crashed)
          scheduler.endOfTurn(() => {
            if (!this.crashed) callback()
          })
      },
      random: () => random.next(),
      randomBytes: (length) => random.bytes(length),
    }
  }

  /** Milliseconds that it has been frozen so far. */
  get frozenMs(): number {
    const { nowUs } = this.scheduler
    return this.frozenTotalMs - Math.max(0, this.frozenUntilUs - nowUs) / 1_000
  }

  /** Timers that have not fired. */
  get pendingTimers(): number {
    return this.timers.size
  }

  private setTimer(callback: () => void, delayMs: number): TimerHandle {
    const { scheduler, timers } = this
    const atUs = scheduler.nowUs + Math.max(0, delayMs) * 1_000
    const event = scheduler.at(
      Math.ceil(atUs),
      EventKind.Timer,
      () => {
        timers.delete(event)
        scheduler.enter()
        callback()
      },
      this,
    )
    if (this.crashed) event.cancelled = true
    else timers.add(event)
    return event
  }

  private clearTimer(timer: TimerHandle): void {
    const event = timer as SimulatedEvent
    event.cancelled = true
    this.timers.delete(event)
  }

  /** For handlers and tests: resolves when that much time has passed here. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(resolve, ms))
  }

  /** Runs `work` as an event of this host, once `ms` are over. */
  after(ms: number, work: () => void): void {
    this.scheduler.at(
      this.scheduler.nowUs + ms * 1_000,
      EventKind.Work,
      () => {
        if (this.crashed) return
        this.scheduler.enter()
        work()
      },
      this,
    )
  }

  /** Nothing happens here for so long, from now on. */
  freeze(ms: number): void {
    const { nowUs } = this.scheduler
    const until = nowUs + ms * 1_000
    if (until <= this.frozenUntilUs) return
    this.frozenTotalMs += (until - Math.max(nowUs, this.frozenUntilUs)) / 1_000
    this.frozenUntilUs = until
  }

  /** It is gone, with everything that it had to do. */
  crash(): void {
    this.crashed = true
    for (const event of this.timers) event.cancelled = true
    this.timers.clear()
  }

  /**
   * Its clock runs once more, for a simulation that lets go of what the crashed process held: only
   * the simulation's own process would keep it otherwise.
   */
  bury(): void {
    this.crashed = false
  }
}
