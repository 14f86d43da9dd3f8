// What a session sends: positions, turns at the link, one flush a turn, and a peer that must take it.
//   in  -> frames; outlets that have some; signs that the link takes more, or that the peer has
//   out -> frames on the link, as many as it should hold
// Frames are made when their turn comes. The link never holds much more than `maxFed`: what waits
// there can no longer be overtaken by a small call.

import type { Clock } from '../base/clock.ts'
import type { Limits } from '../base/limits.ts'
import { Timer, type Timers } from '../base/timers.ts'
import type { Link } from '../link/link.ts'
import type { Ledger } from './ledger.ts'
import { Progress, type Outgoing } from './progress.ts'
import { ReplayRing } from './replay.ts'
import { SendQueue, type Outlet, type Readiness } from './send-queue.ts'

export interface OutflowParts {
  readonly link: Link
  readonly clock: Clock
  readonly timers: Timers
  readonly limits: Limits
  readonly ledger: Ledger
}

export interface OutflowOwner {
  /** Runs `work`; what it throws ends the session. */
  guarded(work: () => void): void
  /** The first frame of a turn has been written. */
  onFirstOfTurn(): void
  /** The link takes frames again. */
  onWritable(): void
  /** The peer does not take what is sent. `limit`: what says so. */
  onSlow(limit: 'maxUnsent' | 'stallMs', reason: string): void
}

export class Outflow implements Outgoing {
  readonly queue: SendQueue = new SendQueue()
  readonly ring: ReplayRing
  /** Stream frames may be sent. */
  open = false
  private readonly link: Link
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly limits: Limits
  private readonly ledger: Ledger
  private readonly owner: OutflowOwner
  private readonly progress: Progress
  private handed = 0
  private flushScheduled = false
  private over = false
  private readonly stallTimer = new Timer(() => this.checkProgress())

  constructor(parts: OutflowParts, owner: OutflowOwner) {
    this.link = parts.link
    this.clock = parts.clock
    this.timers = parts.timers
    this.limits = parts.limits
    this.ledger = parts.ledger
    this.owner = owner
    this.ring = new ReplayRing(parts.limits.replayRing, parts.limits.frameCost)
    this.progress = new Progress(parts.limits.stallMs)
  }

  /** Whether a frame may go to the link now without passing another that waits. */
  get ready(): boolean {
    return this.queue.empty && this.mayFeed(false)
  }

  /** Sends a stream frame: it gets its position here. The buffer must not change afterwards. */
  writeFrame(buffer: Uint8Array, start: number, end: number): void {
    if (!this.open) return
    this.ring.push(buffer, start, end)
    this.write(buffer, start, end)
  }

  /** Sends a frame that has no position. */
  write(buffer: Uint8Array, start: number, end: number): void {
    this.handed += end - start
    this.link.write(buffer, start, end)
    this.scheduleFlush()
  }

  /** Lets an outlet send when its turn comes. */
  schedule(outlet: Outlet, readiness: Readiness): void {
    if (!this.open) return
    this.queue.add(outlet, readiness)
    this.scheduleFlush()
  }

  private scheduleFlush(): void {
    if (this.flushScheduled) return
    this.flushScheduled = true
    this.owner.onFirstOfTurn()
    this.clock.endOfTurn(this.onEndOfTurn)
  }

  private readonly onEndOfTurn = (): void => {
    this.flushScheduled = false
    if (!this.over) this.owner.guarded(this.sendTurn)
  }

  private readonly sendTurn = (): void => {
    this.pump()
    this.link.flush()
    this.ledger.keep(this.ring.bytes)
    const { unsent } = this
    if (unsent > this.limits.maxUnsent)
      this.owner.onSlow('maxUnsent', 'unsent bytes over maxUnsent')
    else if ((unsent > 0 || this.full) && !this.stallTimer.armed) this.watchProgress()
  }

  private readonly mayFeed = (fragment: boolean): boolean =>
    this.open && this.link.unsentBytes < this.limits.maxFed && this.ring.hasRoom(fragment)

  private pump(): void {
    if (!this.queue.empty) this.queue.pump(this.mayFeed)
  }

  /** The link has sent what it had, or the ring has room again. */
  resume(): void {
    if (this.open) this.owner.guarded(this.resumeSending)
  }

  private readonly resumeSending = (): void => {
    this.pump()
    if (this.mayFeed(false)) this.owner.onWritable()
  }

  /** The peer has received frames up to `position`. False: it cannot have. */
  acknowledge(position: number): boolean {
    const crowded = !this.ring.hasRoom(true)
    if (!this.ring.acknowledge(position)) return false
    this.ledger.keep(this.ring.bytes)
    if (crowded) this.resume()
    return true
  }

  /** Bytes of messages that have credit and wait only for the socket. */
  get readyBytes(): number {
    return this.queue.empty || this.mayFeed(false) ? 0 : this.queue.readyBytes
  }

  // What `Progress` looks at

  get unsent(): number {
    return this.link.unsentBytes
  }

  get left(): number {
    return this.handed - this.link.unsentBytes
  }

  get full(): boolean {
    return this.ring.bytes >= this.limits.replayRing
  }

  get acknowledged(): number {
    return this.ring.acknowledged
  }

  get stalledSince(): number | undefined {
    return this.progress.stalledSince(this)
  }

  private watchProgress(): void {
    this.progress.begin(this.clock.now(), this)
    this.timers.arm(this.stallTimer, this.progress.checkMs)
  }

  private checkProgress(): void {
    if (this.over) return
    const verdict = this.progress.check(this.clock.now(), this)
    if (verdict === 'unsent') this.owner.onSlow('stallMs', 'no progress within stallMs')
    else if (verdict === 'unacknowledged')
      this.owner.onSlow('stallMs', 'no acknowledgment within stallMs')
    else if (verdict === 'wait') this.timers.arm(this.stallTimer, this.progress.checkMs)
  }

  /** Nothing is sent any more. What was written last leaves before the link closes. */
  close(): void {
    this.link.flush()
    this.over = true
    this.open = false
    this.timers.disarm(this.stallTimer)
    this.queue.clear()
  }
}
