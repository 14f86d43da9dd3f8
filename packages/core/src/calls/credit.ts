// Credit: how many bytes one side may send on a stream, and how many the other has promised.
//   in  -> costs of frames sent and received, bytes that the application has taken
//   out -> may it be sent; was it promised; what to grant now
// Pure. What a frame costs is in `writer.ts`; when a message counts as taken is up to the reader.

import type { Ledger } from '../session/ledger.ts'
import type { Claimant, ReceiveBudget } from './budget.ts'
import type { Tunable, WindowTuner } from './tuner.ts'

/** A sum of credit above this is a violation: it fits in 31 bits. */
const maxCredit = 2 ** 31 - 1

/** What this side may still send. */
export class SendCredit {
  /** Bytes. */
  available: number

  constructor(window: number) {
    this.available = window
  }

  covers(cost: number): boolean {
    return cost <= this.available
  }

  spend(cost: number): void {
    this.available -= cost
  }

  /** False: the peer granted nothing, or more than anyone may hold. */
  grant(bytes: number): boolean {
    if (bytes === 0 || this.available + bytes > maxCredit) return false
    this.available += bytes
    return true
  }
}

/** What the windows of one connection share. */
export interface WindowTerms {
  /** Bytes that a stream may send before the application takes any. */
  readonly window: number
  readonly budget: ReceiveBudget
  readonly ledger: Ledger
  /** Absent where windows keep their size. */
  readonly tuner?: WindowTuner | undefined
}

/** Whose window it is. */
export interface WindowOwner {
  /** CREDIT is due, in bytes. */
  grant(bytes: number): void
  /** Whether somebody waits for the message that is coming in. */
  readonly waitedFor: boolean
}

/**
 * What this side has promised to take: `taken + size`, and what has arrived of a message that is
 * incomplete. Up to the initial window that costs nothing; what is beyond comes out of the budget of
 * the connection, and waits while there is none.
 */
export class ReceiveWindow implements Claimant, Tunable {
  /** Bytes received so far, for whoever measures a rate. */
  received = 0
  /** Order in which incomplete messages began, in their connection. */
  messageOrder = 0
  private readonly terms: WindowTerms
  private readonly owner: WindowOwner
  private size: number
  private granted: number
  private taken = 0
  /** Of an incomplete message, or of a complete one nobody has taken: granted again on receipt. */
  private advanced = 0
  /** Taken from the budget. */
  private reserved = 0
  /** The peer has ended: nothing is granted any more. */
  private stopped = false
  private closed = false

  constructor(terms: WindowTerms, owner: WindowOwner) {
    this.terms = terms
    this.owner = owner
    this.size = terms.window
    this.granted = terms.window
  }

  /** Bytes that the peer may still send. */
  get unused(): number {
    return this.granted - this.received
  }

  /** The window that this side aims at, in bytes. */
  get target(): number {
    return this.size
  }

  get waitedFor(): boolean {
    return this.messageOrder > 0 && this.owner.waitedFor
  }

  /** Counts a frame. False: it was not promised. */
  receive(cost: number): boolean {
    if (this.received + cost > this.granted) return false
    this.received += cost
    if (!this.closed) this.terms.ledger.buffer(cost)
    return true
  }

  /** A message begins that comes in fragments. */
  beginMessage(): void {
    this.messageOrder = this.terms.budget.nextOrder()
  }

  /** Its last fragment has come. */
  endMessage(): void {
    this.messageOrder = 0
    this.terms.budget.leave(this)
  }

  /** Grants a fragment on receipt: its message may be larger than the window. */
  advance(cost: number): void {
    this.advanced += cost
    this.offer(false)
  }

  /** The application has taken a message of so many bytes, `advanced` of which were granted before. */
  take(cost: number, advanced = 0): void {
    if (this.closed) return
    this.taken += cost
    this.advanced -= advanced
    this.terms.ledger.buffer(-cost)
    this.giveBack()
    this.offer(false)
  }

  /** Aims at another window from now on. A smaller one withholds grants; nothing is taken back. */
  resize(size: number): void {
    this.size = size
    this.offer(false)
  }

  /**
   * Grants what is owed, once it is a quarter of the window: a CREDIT per item would cost more than
   * the items. `favored`: the budget makes an exception.
   */
  offer(favored: boolean): void {
    if (this.stopped) return
    const owed = this.taken + this.size + this.advanced - this.granted
    if (owed * 4 < this.size) return
    const { budget, window } = this.terms
    const beyond = this.granted + owed - this.taken - window - this.reserved
    if (beyond <= 0 || budget.reserve(beyond)) {
      if (beyond > 0) this.reserved += beyond
      return this.grant(owed)
    }
    if (favored) return this.grant(owed)
    const free = owed - beyond
    if (free * 4 >= this.size) this.grant(free)
    budget.wait(this)
  }

  private grant(bytes: number): void {
    // A sample goes out before the CREDIT: behind it it would measure what the CREDIT sets off.
    this.terms.tuner?.onGrant(this)
    this.granted += bytes
    this.owner.grant(bytes)
  }

  /** What was taken needs no reserve any more. */
  private giveBack(): void {
    if (this.reserved === 0) return
    const needed = Math.max(0, this.granted - this.taken - this.terms.window)
    if (needed >= this.reserved) return
    const surplus = this.reserved - needed
    this.reserved = needed
    this.terms.budget.release(surplus)
  }

  /** The peer sends no more: nothing is granted, what has come is still taken. Idempotent. */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.messageOrder = 0
    this.terms.tuner?.leave(this)
    this.terms.budget.leave(this)
    if (this.reserved > 0) this.terms.budget.release(this.reserved)
    this.reserved = 0
  }

  /** Nothing more is taken either. Idempotent. */
  close(): void {
    this.stop()
    if (this.closed) return
    this.closed = true
    this.terms.ledger.buffer(this.taken - this.received)
  }
}
