// A client's connection to its server: made on first use, made again when it is lost.
//   in  -> calls to start
//   out -> calls handed to the calls of a session; states
//
//           first call             WELCOME               link lost
//   idle -------------> connecting -------> connected ------------+
//                           ^  | refused                          v
//                           |  +------------------------> reconnecting
//                           +-------------------------------------+   close(), from any: closed

import type { ClientState, StateChange } from '@callbox/core'
import {
  Calls,
  idsOfClient,
  isRpcError,
  Queue,
  RpcError,
  Timer,
  type AnyContract,
  type CallsOwner,
  type CallStarter,
  type ClientSnapshot,
  type Dispatcher,
  type Session,
  type SessionEnd,
  type Startable,
  type Transport,
  type WelcomeTerms,
} from '@callbox/core/internal'
import { backoffMs } from './backoff.ts'
import { connect, type Attempt } from './connect.ts'
import type { ResolvedOptions } from './options.ts'

export interface ConnectionParts {
  readonly options: ResolvedOptions
  readonly transport: Transport
  readonly contracts: readonly AnyContract[]
  /** What the server may call here, as agreed in this WELCOME. */
  readonly dispatcher: (welcome: WelcomeTerms) => Dispatcher
  readonly onState: (change: StateChange) => void
  /** A session has begun that is not the first: the server may know nothing of the last one. */
  readonly onSessionLost: () => void
}

export class ClientConnection implements CallStarter {
  state: ClientState = 'idle'
  private readonly parts: ConnectionParts
  private calls: Calls | undefined
  /** Sessions that finish what runs after the server has told us to leave. */
  private readonly leaving = new Set<Session>()
  private attempt: Attempt | undefined
  private failures = 0
  private hadSession = false
  private readonly waiting = new Queue<Startable>()
  private readonly retryTimer = new Timer(() => this.connect())

  constructor(parts: ConnectionParts) {
    this.parts = parts
  }

  start(call: Startable): void {
    if (this.calls !== undefined) return this.calls.start(call)
    if (this.state === 'closed') return call.fail(closedError())
    const { maxQueuedCalls } = this.parts.options.runtime.limits
    if (this.waiting.length >= maxQueuedCalls)
      return call.fail(
        new RpcError(
          'resource_exhausted',
          `more calls wait than maxQueuedCalls (${maxQueuedCalls})`,
          {
            processed: 'no',
          },
        ),
      )
    this.waiting.push(call)
    if (this.state === 'idle') this.connect()
  }

  private connect(): void {
    if (this.state === 'closed' || this.attempt !== undefined) return
    this.change({ state: 'connecting' })
    const { options, transport, contracts } = this.parts
    const onWelcome = (session: Session, welcome: WelcomeTerms): void =>
      this.onWelcome(session, welcome)
    const attempt = connect({ options, transport, contracts, onWelcome })
    this.attempt = attempt
    attempt.connected.catch((error: unknown) => {
      if (this.attempt !== attempt) return
      this.attempt = undefined
      this.onRefused(error)
    })
  }

  private onWelcome(session: Session, welcome: WelcomeTerms): void {
    this.attempt = undefined
    if (this.state === 'closed') return void session.close()
    this.failures = 0
    const { options, contracts, dispatcher } = this.parts
    const calls: Calls = new Calls({
      runtime: options.runtime,
      session,
      peer: welcome.limits,
      ids: idsOfClient(contracts, welcome.methods, options.strictContract),
      role: 'client',
      dispatcher: dispatcher(welcome),
      owner: this.ownerOf(session),
    })
    session.open(calls, welcome.keepalive)
    this.calls = calls
    this.change({ state: 'connected' })
    // First, so that what an application does about it goes before the calls that waited.
    if (this.hadSession) this.parts.onSessionLost()
    this.hadSession = true
    for (let call = this.waiting.shift(); call !== undefined; call = this.waiting.shift())
      calls.start(call)
  }

  private ownerOf(session: Session): CallsOwner {
    return {
      takeBack: (back) => {
        for (const call of back) this.start(call)
      },
      onDrain: (reconnectAfterMs) => this.onDrain(session, reconnectAfterMs),
      onEnd: (end) => this.onEnd(session, end),
    }
  }

  /** The server is going away: what runs there may finish, what is new goes elsewhere. */
  private onDrain(session: Session, reconnectAfterMs: number | undefined): void {
    if (this.calls?.session !== session) return
    this.leaving.add(session)
    void this.calls.idle().then(() => session.close())
    this.calls = undefined
    this.retryIn(reconnectAfterMs ?? 0, new RpcError('unavailable', 'the server is shutting down'))
  }

  private onEnd(session: Session, end: SessionEnd): void {
    this.leaving.delete(session)
    if (this.calls?.session !== session) return
    this.calls = undefined
    if (this.state === 'closed') return
    this.retryIn(this.nextDelayMs(), new RpcError(end.code, end.reason, { cause: end.cause }))
  }

  /** A server that refuses this client refuses its calls; one that cannot be reached may come back. */
  private onRefused(error: unknown): void {
    if (this.state === 'closed') return
    const refusal = isRpcError(error)
      ? error
      : new RpcError('internal', 'cannot connect', { cause: error })
    this.failures += 1
    if (refusal.code !== 'unavailable' && refusal.code !== 'resource_exhausted')
      this.failWaiting(refusal)
    // Another version will not agree sooner than somebody deploys.
    const { maxReconnectMs } = this.parts.options.runtime.limits
    this.retryIn(refusal.code === 'protocol' ? maxReconnectMs : this.nextDelayMs(), refusal)
  }

  private nextDelayMs(): number {
    const { clock, limits } = this.parts.options.runtime
    return backoffMs(this.failures, limits.reconnectMs, limits.maxReconnectMs, clock.random())
  }

  private retryIn(ms: number, error: RpcError): void {
    this.change({ state: 'reconnecting', retryInMs: ms, error })
    this.parts.options.runtime.timers.arm(this.retryTimer, ms)
  }

  private failWaiting(error: RpcError): void {
    for (let call = this.waiting.shift(); call !== undefined; call = this.waiting.shift())
      call.fail(error)
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
      connection: this.calls?.snapshot(),
      leaving: this.leaving.size,
      retryBudget: retry?.budget ?? 0,
      timers: timers.length,
      processBytes: memory.bytes,
    }
  }

  /** Always settles: the transport's own close timeout is the longest it takes. Idempotent. */
  async close(): Promise<void> {
    if (this.state !== 'closed') {
      this.change({ state: 'closed' })
      this.parts.options.runtime.timers.disarm(this.retryTimer)
    }
    const { attempt, calls } = this
    attempt?.abort()
    this.failWaiting(closedError())
    await Promise.all([
      calls?.session.close(),
      ...[...this.leaving].map((session) => session.close()),
      attempt?.connected.catch(() => undefined),
    ])
  }
}

function closedError(): RpcError {
  return new RpcError('cancelled', 'the client is closed', { processed: 'no' })
}
