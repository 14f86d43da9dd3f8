// The slots that the peer offers: so many calls may run there, the others wait here.
//   in  -> calls and events to start; slots that are free again
//   out -> calls that go out, in order; what waits, for another session
// Events need no slot.

import { Queue } from '../base/queue.ts'
import { Timer } from '../base/timers.ts'
import type { SendingChannel, Startable } from './channel.ts'
import { OutgoingEvent } from './events.ts'
import { local } from './outgoing.ts'

export class Slots {
  private readonly channel: SendingChannel
  private readonly waiting = new Queue<Startable>()
  private taken = 0
  private readonly pause = new Timer(() => this.sendWaiting())

  constructor(channel: SendingChannel) {
    this.channel = channel
  }

  /** Calls that wait for a slot. */
  get queued(): number {
    return this.waiting.length
  }

  start(call: Startable): void {
    if (call instanceof OutgoingEvent) return call.transmit(this.channel)
    if (this.mayStart && this.waiting.length === 0) return this.send(call)
    const { limits, metrics } = this.channel.runtime
    if (this.waiting.length < limits.maxQueuedCalls) return this.waiting.push(call)
    metrics?.count('limit_hits', 'maxQueuedCalls')
    call.fail(
      local(
        'resource_exhausted',
        `more calls wait than limits.maxQueuedCalls (${limits.maxQueuedCalls})`,
      ),
    )
  }

  private get mayStart(): boolean {
    return this.taken < this.channel.peer.maxCalls && !this.pause.armed
  }

  /**
   * The peer has refused a call and asked to wait: it may still hold slots for calls that this side
   * has given up. What waits here must not run into the same refusal, one after the other.
   */
  pauseFor(ms: number): void {
    const { timers, limits } = this.channel.runtime
    timers.arm(this.pause, Math.min(ms, limits.maxRetryMs))
  }

  private send(call: Startable): void {
    this.taken += 1
    call.transmit(this.channel)
    // It could not go out at all.
    if (call.settled) this.free()
  }

  /** A call is over. */
  free(): void {
    this.taken -= 1
    this.sendWaiting()
  }

  /** Sends what waits, as far as there are slots: the peer may offer more of them now. */
  sendWaiting(): void {
    while (this.mayStart) {
      const call = this.waiting.shift()
      if (call === undefined) return
      if (call.settled) continue
      this.taken += 1
      call.transmit(this.channel)
      if (call.settled) this.taken -= 1
    }
  }

  /** What waits here, in order, and no longer does. */
  takeBack(): readonly Startable[] {
    this.channel.runtime.timers.disarm(this.pause)
    const back: Startable[] = []
    for (let call = this.waiting.shift(); call !== undefined; call = this.waiting.shift())
      if (!call.settled) back.push(call)
    return back
  }
}
