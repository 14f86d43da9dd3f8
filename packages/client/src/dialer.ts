// Connects until it succeeds: one attempt at a time, pauses with full jitter between them.
//   in  -> when to begin, when to stop
//   out -> handshakes that are through; refusals, with the pause that follows
//
//           now               refused
//   idle ---------> dialing ----------> waiting
//    ^                 |  WELCOME          |  the pause is over, `hurry`
//    +-----------------+      dialing <----+

import { isRpcError, RpcError, Timer, type ResumeTerms, type Session } from '@callbox/core/internal'
import type { AnyContract, Transport, WelcomeTerms } from '@callbox/core/internal'
import { backoffMs } from './backoff.ts'
import { connect, type Attempt } from './connect.ts'
import type { ResolvedOptions } from './options.ts'

/** After a lost link the first pause is longer than after a refusal: all clients lose theirs together. */
const spread = 4

export interface DialerParts {
  readonly options: ResolvedOptions
  readonly transport: Transport
  readonly contracts: readonly AnyContract[]
}

export interface DialerOwner {
  /** What HELLO says of a session to go on with, read when it is written. */
  resumeTerms(): ResumeTerms | undefined
  /** Called in the turn in which WELCOME came. Throws ConnectionError to refuse it. */
  onWelcome(candidate: Session, welcome: WelcomeTerms): void
  onDialing(): void
  /** The server refuses, or cannot be reached. */
  onRefused(error: RpcError): void
  /** The next attempt comes after so many milliseconds. */
  onWaiting(ms: number, error: RpcError): void
}

export class Dialer {
  private readonly parts: DialerParts
  private readonly owner: DialerOwner
  private attempt: Attempt | undefined
  private failures = 0
  /** Since when there has been no connection; undefined while there is one. */
  private awaySince: number | undefined
  private stopped = false
  private readonly timer = new Timer(() => this.now())

  constructor(parts: DialerParts, owner: DialerOwner) {
    this.parts = parts
    this.owner = owner
  }

  /** Begins an attempt, unless one is under way. */
  now(): void {
    if (this.stopped || this.attempt !== undefined) return
    this.runtime.timers.disarm(this.timer)
    this.awaySince ??= this.runtime.clock.now()
    this.owner.onDialing()
    const attempt = connect({
      ...this.parts,
      resumeTerms: () => this.owner.resumeTerms(),
      onWelcome: (candidate, welcome) => {
        this.attempt = undefined
        if (this.stopped) return void candidate.close()
        this.owner.onWelcome(candidate, welcome)
        this.failures = 0
        this.awaySince = undefined
      },
    })
    this.attempt = attempt
    attempt.connected.catch((error: unknown) => {
      if (this.attempt === attempt) this.attempt = undefined
      if (!this.stopped && this.attempt === undefined) this.onRefused(error)
    })
  }

  /** Begins an attempt after a pause: `ms`, or what the failures so far call for. */
  after(ms: number | undefined, error: RpcError): void {
    if (this.stopped || this.attempt !== undefined || this.timer.armed) return
    this.awaySince ??= this.runtime.clock.now()
    const pause = ms ?? this.pauseMs(this.awaySince)
    this.runtime.timers.arm(this.timer, pause)
    this.owner.onWaiting(pause, error)
  }

  /** Something has changed for the better: what waits between two attempts waits no longer. */
  hurry(): void {
    if (this.timer.armed) this.now()
  }

  /** For ever. Settles when nothing is under way. */
  async stop(): Promise<void> {
    this.stopped = true
    this.runtime.timers.disarm(this.timer)
    this.attempt?.abort()
    await this.attempt?.connected.catch(() => undefined)
  }

  private get runtime(): ResolvedOptions['runtime'] {
    return this.parts.options.runtime
  }

  private onRefused(error: unknown): void {
    const refusal = isRpcError(error)
      ? error
      : new RpcError('internal', 'cannot connect', { cause: error })
    this.failures += 1
    this.owner.onRefused(refusal)
    // Another version will not agree sooner than somebody deploys.
    const { maxReconnectMs } = this.runtime.limits
    this.after(refusal.code === 'protocol' ? maxReconnectMs : undefined, refusal)
  }

  /** Never longer than it has been so far: nobody is away much longer than the server was. */
  private pauseMs(since: number): number {
    const { clock, limits } = this.runtime
    const least = limits.reconnectMs * spread
    const longest = Math.min(limits.maxReconnectMs, Math.max(least, clock.now() - since))
    const first = this.failures === 0 ? least : limits.reconnectMs
    return backoffMs(this.failures, first, longest, clock.random())
  }
}
