// Whether the peer is there: its silence, PINGs and their PONGs, and how long they take.
//   in  -> signs of life, PONGs, somebody who wants a round trip measured
//   out -> PINGs to send; that the peer is silent; round trips
// Never more than one PING is out: they would pile up behind a stall.

import type { Clock } from '../base/clock.ts'
import type { Metrics } from '../base/metrics.ts'
import { standstillMs, Timer, type Timers } from '../base/timers.ts'
import { Keepalive, type KeepaliveTerms } from './keepalive.ts'
import { RoundTrip } from './round-trip.ts'

const nonceBytes = 8
/** After a standstill of this process: time to read what has come, in milliseconds. */
const catchUpMs = 1_000

/** Takes a round trip and the least so far, both in milliseconds. */
export type OnRoundTrip = (roundTripMs: number, leastMs: number) => void

export interface LivenessParts {
  readonly clock: Clock
  readonly timers: Timers
  readonly metrics?: Metrics | undefined
  /** The server's side asks after silence, the client's only before it sends into it. */
  readonly role: 'client' | 'server'
}

export interface LivenessOwner {
  sendPing(nonce: Uint8Array): void
  onSilent(): void
}

export class Liveness {
  readonly roundTrip: RoundTrip = new RoundTrip()
  /** Who does not read cannot judge silence. */
  suspended = false
  private readonly parts: LivenessParts
  private readonly owner: LivenessOwner
  private keepalive: Keepalive | undefined
  private heardThisTurn = false
  private nonce: Uint8Array | undefined
  private onRoundTrip: OnRoundTrip | undefined
  private readonly timer = new Timer(() => this.check())

  constructor(parts: LivenessParts, owner: LivenessOwner) {
    this.parts = parts
    this.owner = owner
  }

  open(terms: KeepaliveTerms): void {
    const { clock, timers, role } = this.parts
    const now = clock.now()
    this.keepalive = new Keepalive(terms, role === 'server', now)
    timers.arm(this.timer, this.keepalive.nextMs(now))
  }

  /** Something has come from the peer. The clock is read once a turn: a chunk holds many frames. */
  heard(): void {
    if (this.heardThisTurn || this.keepalive === undefined) return
    const { clock } = this.parts
    this.heardThisTurn = true
    this.keepalive.heard(clock.now())
    clock.endOfTurn(this.onEndOfTurn)
  }

  private readonly onEndOfTurn = (): void => {
    this.heardThisTurn = false
  }

  /** Measures a round trip if a PING may be sent now, and answers whether it may. */
  sample(done: OnRoundTrip): boolean {
    const now = this.parts.clock.now()
    if (this.keepalive === undefined || !this.roundTrip.maySample(now)) return false
    this.onRoundTrip = done
    this.ping(now)
    return true
  }

  /** `buffer[at, at + 8)` is what a PONG gives back. One that was not asked for says nothing. */
  onPong(buffer: Uint8Array, at: number): void {
    const { nonce, roundTrip } = this
    if (nonce === undefined || nonce.some((byte, index) => buffer[at + index] !== byte)) return
    this.nonce = undefined
    roundTrip.answered(this.parts.clock.now())
    this.parts.metrics?.observe('round_trip_ms', roundTrip.lastMs)
    const { onRoundTrip } = this
    this.onRoundTrip = undefined
    onRoundTrip?.(roundTrip.lastMs, roundTrip.leastMs)
  }

  /** Something is about to be sent: a client that has heard nothing for long asks first. */
  askAfterSilence(): void {
    if (this.parts.role !== 'client' || this.keepalive === undefined) return
    const now = this.parts.clock.now()
    if (this.keepalive.wantsPing(now)) this.ping(now)
  }

  private check(): void {
    const { keepalive } = this
    if (keepalive === undefined) return
    const now = this.parts.clock.now()
    if (this.suspended) keepalive.heard(now)
    const verdict = keepalive.judge(now)
    if (verdict === 'dead' && now - this.timer.dueAt > standstillMs)
      return this.parts.timers.arm(this.timer, catchUpMs)
    if (verdict === 'dead') return this.owner.onSilent()
    if (verdict === 'ping') this.ping(now)
    this.parts.timers.arm(this.timer, keepalive.nextMs(now))
  }

  private ping(now: number): void {
    this.keepalive?.asked(now)
    if (this.nonce !== undefined) return
    this.nonce = this.parts.clock.randomBytes(nonceBytes)
    this.roundTrip.sent(now)
    this.owner.sendPing(this.nonce)
  }

  close(): void {
    this.keepalive = undefined
    this.parts.timers.disarm(this.timer)
  }
}
