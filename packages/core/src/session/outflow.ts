// What a session sends: positions, turns at the link, one flush a turn, and a peer that must take it.
//   in  -> frames; outlets that have some; links that come and go; signs that the peer takes more
//   out -> frames on the link, as many as it should hold; after a resume first what was lost
// Frames are made when their turn comes. The link never holds much more than `maxFed`: what waits
// there can no longer be overtaken by a small call. Without a link nothing gets a position.

import type { Clock } from '../base/clock.ts'
import type { Limits } from '../base/limits.ts'
import { Queue } from '../base/queue.ts'
import { standstillMs, Timer, type Timers } from '../base/timers.ts'
import type { Frame } from '../frames/fields.ts'
import type { Link } from '../link/link.ts'
import type { Ledger } from './ledger.ts'
import { Progress, type Outgoing } from './progress.ts'
import { ReplayRing, type Retention } from './replay.ts'
import { SendQueue, type Outlet, type Readiness } from './send-queue.ts'

/** Control frames that wait for a link, or for room in the ring, in bytes: more is not honest. */
const maxDeferred = 1024 * 1024

export interface OutflowParts {
  readonly clock: Clock
  readonly timers: Timers
  readonly limits: Limits
  readonly ledger: Ledger
  /** Position to begin with. */
  readonly sent?: number | undefined
}

export interface OutflowOwner {
  /** Runs `work`; what it throws ends the session. */
  guarded(work: () => void): void
  /** The first frame of a turn has been written. */
  onFirstOfTurn(): void
  /** The link takes frames again. */
  onWritable(): void
  /** The peer does not take what is sent. `limit`: what says so. */
  onSlow(limit: 'maxUnsent' | 'stallMs' | 'replayRing', reason: string): void
}

export class Outflow implements Outgoing {
  readonly queue: SendQueue = new SendQueue()
  readonly ring: ReplayRing
  /** Stream frames may be sent, now or once there is a link. */
  open = false
  private link: Link | undefined
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly limits: Limits
  private readonly ledger: Ledger
  private readonly owner: OutflowOwner
  private progress: Progress
  /** CANCEL, CREDIT, END and ERROR that could not go when they were decided, in order. */
  private readonly deferred = new Queue<Frame>()
  private deferredBytes = 0
  /** Position of the last frame that this link has been given. Behind `ring.sent` while replaying. */
  private given = 0
  private handed = 0
  private flushScheduled = false
  private over = false
  private readonly stallTimer = new Timer(() => this.checkProgress())

  constructor(parts: OutflowParts, owner: OutflowOwner) {
    this.clock = parts.clock
    this.timers = parts.timers
    this.limits = parts.limits
    this.ledger = parts.ledger
    this.owner = owner
    this.ring = new ReplayRing(parts.limits.replayRing, parts.limits.frameCost, parts.sent)
    this.progress = new Progress(parts.limits.stallMs)
  }

  /** Whether a link could take over where the peer has received up to `position`. */
  retention(position: number): Retention {
    return this.ring.retention(position)
  }

  /** There is a link. What the peer has not received, `position` and on, is sent again first. */
  attach(link: Link, position: number = this.ring.sent): void {
    this.link = link
    this.handed = 0
    this.progress = new Progress(this.limits.stallMs)
    this.ring.acknowledge(position)
    this.ledger.keep(this.ring.bytes)
    this.given = position
    if (this.open) this.scheduleFlush()
  }

  /** The link is gone. What was sent and not acknowledged is kept, in memory of its own. */
  detach(): void {
    this.link = undefined
    this.timers.disarm(this.stallTimer)
    this.ring.compact()
    // Its last turn may not be over: what it has written counts all the same.
    this.ledger.keep(this.ring.bytes)
  }

  /** Whether a frame may go to the link now without passing another that waits. */
  get ready(): boolean {
    return this.queue.empty && this.mayFeed(false)
  }

  /**
   * Sends a stream frame whose turn has come: it gets its position here. The buffer must not change
   * afterwards. `deadlineAt`: when the deadline of a REQUEST passes.
   */
  writeFrame(buffer: Uint8Array, start: number, end: number, deadlineAt?: number): void {
    if (!this.open) return
    this.ring.push(buffer, start, end, deadlineAt)
    this.given = this.ring.sent
    this.write(buffer, start, end)
  }

  /** Sends a frame that passes all others: CANCEL, CREDIT, and ERROR where nothing else waits. */
  writeControl(frame: Frame): void {
    if (!this.open) return
    if (this.mayControl) return this.writeFrame(frame.buffer, frame.start, frame.end)
    this.deferred.push(frame)
    this.countDeferred(frame.end - frame.start)
    if (this.deferredBytes > maxDeferred) this.owner.onSlow('replayRing', 'nothing is acknowledged')
  }

  private get mayControl(): boolean {
    return (
      this.link !== undefined &&
      !this.replaying &&
      this.deferred.length === 0 &&
      this.ring.hasRoomForControl
    )
  }

  private countDeferred(bytes: number): void {
    this.deferredBytes += bytes
    this.ledger.wait(bytes)
  }

  /** Sends a frame that has no position. Without a link it is dropped. */
  write(buffer: Uint8Array, start: number, end: number): void {
    if (this.link === undefined) return
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
    if (this.flushScheduled || this.link === undefined) return
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
    this.link?.flush()
    this.ledger.keep(this.ring.bytes)
    const { unsent } = this
    if (unsent > this.limits.maxUnsent)
      this.owner.onSlow('maxUnsent', 'unsent bytes over limits.maxUnsent')
    else if ((unsent > 0 || this.full) && !this.stallTimer.armed && this.link !== undefined)
      this.watchProgress()
  }

  private readonly mayFeed = (fragment: boolean): boolean =>
    this.open &&
    this.link !== undefined &&
    this.link.unsentBytes < this.limits.maxFed &&
    this.ring.hasRoom(fragment) &&
    !this.replaying &&
    this.deferred.length === 0

  private get replaying(): boolean {
    return this.given !== this.ring.sent
  }

  private pump(): void {
    if (this.replaying) this.replay()
    while (this.deferred.length > 0 && this.link !== undefined) {
      if (this.replaying || !this.ring.hasRoomForControl) return
      const { buffer, start, end } = this.deferred.shift()!
      this.countDeferred(start - end)
      this.writeFrame(buffer, start, end)
    }
    if (!this.queue.empty) this.queue.pump(this.mayFeed)
  }

  /** Sends again, in order and before anything new, what the peer has not received. */
  private replay(): void {
    // What was acknowledged meanwhile has arrived.
    if (this.ring.retention(this.given) === 'dropped') this.given = this.ring.acknowledged
    const now = this.clock.now()
    while (
      this.link !== undefined &&
      this.replaying &&
      this.link.unsentBytes < this.limits.maxFed
    ) {
      const { buffer, start, end } = this.ring.again(this.given, now)
      this.given = (this.given + 1) >>> 0
      this.write(buffer, start, end)
    }
  }

  /** The link has sent what it had, or the ring has room again. */
  resume(): void {
    if (this.open && this.link !== undefined) this.owner.guarded(this.resumeSending)
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
    return this.link?.unsentBytes ?? 0
  }

  get left(): number {
    return this.handed - this.unsent
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
    if (this.over || this.link === undefined) return
    const now = this.clock.now()
    if (now - this.stallTimer.dueAt > standstillMs) return this.watchProgress()
    const verdict = this.progress.check(now, this)
    if (verdict === 'unsent') this.owner.onSlow('stallMs', 'no progress within limits.stallMs')
    else if (verdict === 'unacknowledged')
      this.owner.onSlow('stallMs', 'no acknowledgment within limits.stallMs')
    else if (verdict === 'wait') this.timers.arm(this.stallTimer, this.progress.checkMs)
  }

  /** Nothing is sent any more. What was written last leaves before the link closes. */
  close(): void {
    this.link?.flush()
    this.over = true
    this.open = false
    this.timers.disarm(this.stallTimer)
    this.queue.clear()
    this.deferred.clear()
  }
}
