// A client's connection to its server: made on first use, made again when it is lost.
//   in  -> calls to start
//   out -> calls handed to the calls of a session; states
//
//           first call             WELCOME               link lost
//   idle -------------> connecting -------> connected ------------+
//                           ^  | refused                          v
//                           |  +------------------------> reconnecting
//                           +-------------------------------------+   close(), from any: closed
//
// While reconnecting the session may live on: its calls stay open, and go on once it is resumed.

import type { ClientState, StateChange } from '@callbox/core'
import {
  Calls,
  ConnectionError,
  idsOfClient,
  Queue,
  RpcError,
  type AnyContract,
  type CallsOwner,
  type CallStarter,
  type ClientSnapshot,
  type Dispatcher,
  type Method,
  type ResumeTerms,
  type Session,
  type SessionEnd,
  type Startable,
  type Transport,
  type WelcomeTerms,
} from '@callbox/core/internal'
import { CredentialRefresh } from './credential-refresh.ts'
import { Dialer, type DialerOwner } from './dialer.ts'
import { LeavingSession } from './leaving.ts'
import { LiveSession } from './live-session.ts'
import type { ResolvedOptions } from './options.ts'

export interface ConnectionParts {
  readonly options: ResolvedOptions
  readonly transport: Transport
  readonly contracts: readonly AnyContract[]
  /** What the server may call here, as agreed in this WELCOME. */
  readonly dispatcher: (welcome: WelcomeTerms) => Dispatcher
  readonly onState: (change: StateChange) => void
  /** The session goes on over another link: nothing was lost. */
  readonly onResumed: () => void
  /** A session has begun that is not the first: the server may know nothing of the last one. */
  readonly onSessionLost: () => void
}

export class ClientConnection implements CallStarter, DialerOwner {
  state: ClientState = 'idle'
  private readonly parts: ConnectionParts
  private readonly dialer: Dialer
  private readonly refresh: CredentialRefresh
  /** The present session, with or without a link. */
  private live: LiveSession | undefined
  /** Sessions that finish what runs after the server has told us to leave. */
  private readonly leaving = new Map<Session, LeavingSession>()
  readonly pausing: Set<Startable> = new Set<Startable>()
  private hadSession = false
  private readonly waiting = new Queue<Startable>()

  constructor(parts: ConnectionParts) {
    this.parts = parts
    this.dialer = new Dialer(parts, this)
    this.refresh = new CredentialRefresh(parts.options)
  }

  codecFor(method: Method): number {
    return this.live?.calls.codecFor(method) ?? 0
  }

  start(call: Startable): void {
    if (this.state === 'closed') return call.fail(closedError())
    if (call.failFast && this.state === 'reconnecting') return call.fail(notConnected())
    if (this.live !== undefined) return this.live.calls.start(call)
    const { limits, metrics } = this.parts.options.runtime
    if (this.waiting.length >= limits.maxQueuedCalls) {
      metrics?.count('limit_hits', 'maxQueuedCalls')
      const text = `more calls wait than limits.maxQueuedCalls (${limits.maxQueuedCalls})`
      return call.fail(new RpcError('resource_exhausted', text, { processed: 'no' }))
    }
    this.waiting.push(call)
    if (this.state === 'idle') this.dialer.now()
  }

  // As the owner of the dialer

  resumeTerms(): ResumeTerms | undefined {
    return this.live?.resumeTerms
  }

  onDialing(): void {
    this.change({ state: 'connecting' })
  }

  onWelcome(candidate: Session, welcome: WelcomeTerms): void {
    const { live } = this
    if (live === undefined && welcome.resumed)
      throw new ConnectionError('session_lost', 'the session is over on this side')
    if (live?.takeOver(candidate, welcome) === true) {
      this.refresh.start(live.session, welcome.expiresInMs)
      this.change({ state: 'connected' })
      return this.parts.onResumed()
    }
    // What was never sent comes back from it, and goes out over the new one.
    this.live = undefined
    live?.session.lose('the server does not know the session any more')
    this.begin(candidate, welcome)
  }

  private begin(session: Session, welcome: WelcomeTerms): void {
    const { options, contracts, dispatcher } = this.parts
    const calls: Calls = new Calls({
      runtime: options.runtime,
      session,
      peer: welcome.limits,
      codec: welcome.codec,
      ids: idsOfClient(contracts, welcome.methods, options.strictContract),
      role: 'client',
      dispatcher: dispatcher(welcome),
      owner: this.ownerOf(session),
    })
    const { keepalive } = welcome
    const ownGraceMs = options.runtime.limits.sessionGraceMs
    const grant = ownGraceMs === 0 ? undefined : welcome.session
    session.open(calls, { keepalive, graceMs: grant?.graceMs ?? 0 })
    this.live = new LiveSession(calls, grant)
    this.refresh.start(session, welcome.expiresInMs)
    this.change({ state: 'connected' })
    // First, so that what an application does about it goes before the calls that waited.
    if (this.hadSession) this.parts.onSessionLost()
    this.hadSession = true
    for (let call = this.waiting.shift(); call !== undefined; call = this.waiting.shift())
      calls.start(call)
  }

  /** A server that refuses this client refuses its calls; one that cannot be reached may come back. */
  onRefused(refusal: RpcError): void {
    const { code } = refusal
    const mayComeBack = code === 'unavailable' || code === 'resource_exhausted'
    this.failWaiting(refusal, mayComeBack)
  }

  onWaiting(ms: number, error: RpcError): void {
    this.change({ state: 'reconnecting', retryInMs: ms, error })
  }

  /** The network is back, or somebody looks at the page again. */
  hurry(): void {
    this.dialer.hurry()
  }

  // As the owner of the calls of a session

  private ownerOf(session: Session): CallsOwner {
    return {
      takeBack: (back) => {
        for (const call of back) this.start(call)
      },
      onParked: (reason) => this.onParked(session, reason),
      onResumed: () => undefined,
      onAuth: (answer) => this.refresh.onAnswer(answer),
      onDrain: (reconnectAfterMs) => this.onDrain(session, reconnectAfterMs),
      onEnd: (end) => this.onEnd(session, end),
    }
  }

  private onParked(session: Session, reason: string): void {
    const error = new RpcError('session_lost', reason)
    if (this.live?.session !== session) return this.leaving.get(session)?.onParked(reason)
    this.refresh.stop()
    if (this.state !== 'closed') this.dialer.after(undefined, error)
  }

  /** The server is going away: what runs there may finish, what is new goes elsewhere. */
  private onDrain(session: Session, reconnectAfterMs: number | undefined): void {
    const { live } = this
    if (live?.session !== session) return
    this.refresh.stop()
    this.live = undefined
    this.leaving.set(session, new LeavingSession(this.parts, live))
    this.dialer.after(
      reconnectAfterMs ?? 0,
      new RpcError('unavailable', 'the server is shutting down'),
    )
  }

  private onEnd(session: Session, end: SessionEnd): void {
    this.leaving.get(session)?.onEnd(end)
    this.leaving.delete(session)
    if (this.live?.session !== session) return
    this.refresh.stop()
    this.live = undefined
    if (this.state !== 'closed')
      this.dialer.after(undefined, new RpcError(end.code, end.reason, { cause: end.cause }))
  }

  /** `onlyFailFast`: the others wait on. */
  private failWaiting(error: RpcError, onlyFailFast: boolean): void {
    for (let left = this.waiting.length; left > 0; left -= 1) {
      const call = this.waiting.shift()!
      if (onlyFailFast && !call.failFast) this.waiting.push(call)
      else call.fail(error)
    }
  }

  private change(change: StateChange): void {
    if (this.state === 'closed') return
    this.state = change.state
    this.parts.onState(change)
  }

  snapshot(): ClientSnapshot {
    const { retry, timers, memory } = this.parts.options.runtime
    return {
      state: this.state,
      waiting: this.waiting.length,
      connection: this.live?.calls.snapshot(),
      leaving: this.leaving.size,
      retryBudget: retry?.budget ?? 0,
      timers: timers.length,
      processBytes: memory.bytes,
    }
  }

  /** Always settles: the transport's own close timeout is the longest it takes. Idempotent. */
  async close(): Promise<void> {
    if (this.state !== 'closed') this.change({ state: 'closed' })
    this.refresh.stop()
    this.failWaiting(closedError(), false)
    for (const call of this.pausing) call.fail(closedError())
    await Promise.all([
      this.dialer.stop(),
      this.live?.session.close(),
      ...[...this.leaving.values()].map((session) => session.close()),
    ])
  }
}

function closedError(): RpcError {
  return new RpcError('cancelled', 'the client is closed', { processed: 'no' })
}

function notConnected(): RpcError {
  return new RpcError('unavailable', 'not connected', { processed: 'no' })
}
