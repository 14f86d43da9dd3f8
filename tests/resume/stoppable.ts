// The clock of one process that can be stopped: time goes on, nothing happens; then everything at once.
//   in  -> a virtual clock that others share
//   out -> the same time; timers that come late

import type { Clock, TimerHandle } from '@callbox/core/internal'

interface Waiting {
  cancelled: boolean
  handle: TimerHandle
}

export class Stoppable implements Clock {
  private readonly inner: Clock
  private late: (() => void)[] | undefined

  constructor(inner: Clock) {
    this.inner = inner
  }

  stop(): void {
    this.late ??= []
  }

  /** What came due meanwhile happens now, in order. */
  goOn(): void {
    const late = this.late ?? []
    this.late = undefined
    for (const callback of late) callback()
  }

  private run(callback: () => void): void {
    if (this.late === undefined) callback()
    else this.late.push(callback)
  }

  now(): number {
    return this.inner.now()
  }

  setTimer(callback: () => void, delayMs: number): TimerHandle {
    const waiting: Waiting = { cancelled: false, handle: undefined }
    waiting.handle = this.inner.setTimer(
      () =>
        this.run(() => {
          if (!waiting.cancelled) callback()
        }),
      delayMs,
    )
    return waiting
  }

  clearTimer(timer: TimerHandle): void {
    const waiting = timer as Waiting
    waiting.cancelled = true
    this.inner.clearTimer(waiting.handle)
  }

  endOfTurn(callback: () => void): void {
    this.inner.endOfTurn(() => this.run(callback))
  }

  random(): number {
    return this.inner.random()
  }

  randomBytes(length: number): Uint8Array<ArrayBuffer> {
    return this.inner.randomBytes(length)
  }
}
