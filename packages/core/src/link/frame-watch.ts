// Whether a frame that has begun ends in time: a peer may not hold half a frame back for ever.
//   in  -> after each piece of input: whether a frame is incomplete, and which
//   out -> one call, when it has taken too long
// For links that cut frames out of bytes. While this side does not read, the peer is not to blame.

import type { Clock, TimerHandle } from '../base/clock.ts'

export class FrameWatch {
  private readonly clock: Pick<Clock, 'now' | 'setTimer' | 'clearTimer'>
  private readonly frameMs: number
  private readonly onLate: () => void
  private timer: TimerHandle
  private armed = false
  /** When the frame that is incomplete began; negative if none is. */
  private begunAt = -1
  private frame = -1
  private suspended = false

  /** `frameMs` in milliseconds; undefined: no limit. */
  constructor(
    clock: Pick<Clock, 'now' | 'setTimer' | 'clearTimer'>,
    frameMs: number | undefined,
    onLate: () => void,
  ) {
    this.clock = clock
    this.frameMs = frameMs ?? Infinity
    this.onLate = onLate
  }

  /** Input has been taken. `frame` numbers frames: another number is another frame. */
  after(incomplete: boolean, frame: number): void {
    if (!incomplete) this.begunAt = -1
    else if (this.begunAt < 0 || frame !== this.frame) {
      this.frame = frame
      this.begunAt = this.clock.now()
      // One timer, which outlives many frames: most end before it is looked at.
      if (!this.armed) this.arm(this.frameMs)
    }
  }

  /** This side reads no more. */
  suspend(): void {
    this.suspended = true
  }

  resume(): void {
    if (!this.suspended) return
    this.suspended = false
    if (this.begunAt >= 0) this.begunAt = this.clock.now()
  }

  /** The link is gone. */
  close(): void {
    this.begunAt = -1
    if (this.armed) this.clock.clearTimer(this.timer)
    this.armed = false
  }

  private arm(delayMs: number): void {
    if (this.frameMs === Infinity) return
    this.armed = true
    this.timer = this.clock.setTimer(this.look, delayMs)
  }

  private readonly look = (): void => {
    this.armed = false
    if (this.begunAt < 0) return
    const left = this.suspended ? this.frameMs : this.begunAt + this.frameMs - this.clock.now()
    if (left > 0) return this.arm(left)
    this.close()
    this.onLate()
  }
}
