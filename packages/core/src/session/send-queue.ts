// Who may send next, when the link cannot take everything at once.
//   in  -> outlets that have a frame to send
//   out -> one frame of one outlet at a time: single frames first, then fragments, round robin
// Frames are made when their turn comes, never before: what waits here has no position and no id.
// Connection frames, CANCEL and CREDIT do not pass through; they go to the link at once.

import { Queue } from '../base/queue.ts'

/** What an outlet has to send next. */
export type Readiness = 'nothing' | 'single' | 'fragment'

/** One direction of one call, or the events of a session. */
export interface Outlet {
  /** Belongs to the queue: true while the outlet stands in it. */
  queued: boolean
  /** Bytes of its messages that have credit and wait only for the link. */
  readonly readyBytes: number
  /** Sends exactly one frame if it still has one, and says what follows it. */
  sendFrame(): Readiness
}

export class SendQueue {
  private readonly singles = new Queue<Outlet>()
  private readonly fragments = new Queue<Outlet>()

  get empty(): boolean {
    return this.singles.length === 0 && this.fragments.length === 0
  }

  get length(): number {
    return this.singles.length + this.fragments.length
  }

  /** Bytes that wait only for the link. */
  get readyBytes(): number {
    let bytes = 0
    for (const queue of [this.singles, this.fragments])
      for (let at = 0; at < queue.length; at += 1) bytes += queue.at(at)!.readyBytes
    return bytes
  }

  /** Puts an outlet at the end of its class. Harmless while it stands there. */
  add(outlet: Outlet, readiness: Readiness): void {
    if (outlet.queued || readiness === 'nothing') return
    outlet.queued = true
    if (readiness === 'single') this.singles.push(outlet)
    else this.fragments.push(outlet)
  }

  /** Sends frames as long as `mayFeed` agrees. */
  pump(mayFeed: (fragment: boolean) => boolean): void {
    while (true) {
      const fragment = this.singles.length === 0
      const queue = fragment ? this.fragments : this.singles
      if (queue.length === 0 || !mayFeed(fragment)) return
      const outlet = queue.shift()!
      outlet.queued = false
      this.add(outlet, outlet.sendFrame())
    }
  }

  /** Takes an outlet out: what it has goes elsewhere, or nowhere. */
  remove(outlet: Outlet): void {
    if (!outlet.queued) return
    for (const queue of [this.singles, this.fragments])
      for (let left = queue.length; left > 0; left -= 1) {
        const each = queue.shift()!
        if (each === outlet) outlet.queued = false
        else queue.push(each)
      }
  }

  /** Nothing of it goes out here any more: whoever stood in it may stand in another. */
  clear(): void {
    for (const queue of [this.singles, this.fragments])
      for (let outlet = queue.shift(); outlet !== undefined; outlet = queue.shift())
        outlet.queued = false
  }
}
