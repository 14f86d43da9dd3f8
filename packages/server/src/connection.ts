// One client, let in: its calls, and calls to it.
//   in  -> a session, the HELLO of the client, what `authenticate` gave
//   out -> the dispatcher of its calls; `Connection`, as handlers see it

import type { AnyContract, ClientCallsOf, Connection, Peer } from '@callbox/core'
import {
  Calls,
  callsOf,
  ConnectionError,
  contractHash,
  Dispatch,
  failure,
  idsOfServer,
  protocolError,
  RpcError,
  Timer,
  type HelloTerms,
  type Runtime,
  type ServedMethod,
  type Session,
  type Startable,
} from '@callbox/core/internal'
import { admit, refusalOf, type Admittance } from './admittance.ts'
import { departed } from './departure.ts'
import type { ResolvedOptions, Served } from './options.ts'
import { within } from './within.ts'

/** Time that a client has for a fresh credential once the old one is over, in milliseconds. */
const expiryGraceMs = 5_000

export interface Admitted extends Admittance {
  readonly peer: Peer
  readonly onGone: () => void
}

/** How a connection comes to its end, in milliseconds. */
export interface DrainOptions {
  readonly graceMs: number
  /** When the client should connect anew; at once if absent. */
  readonly reconnectAfterMs?: number | undefined
  /** How long a client that has lost its link can come back; as long as the grace if absent. */
  readonly returnMs?: number | undefined
}

/** Of the grace: after it, streams that can go on elsewhere are ended. */
const resumableShare = 0.8
/** How long the calls of a connection that has become too old may still run, in milliseconds. */
const retireGraceMs = 30_000

export class ServerConnection implements Connection {
  peer: Peer
  readonly calls: Calls
  /** Of its calls by id. */
  readonly codec: string
  /** Names and hashes of the client's contracts, as one text: only the same ones may resume. */
  readonly contracts: string
  private readonly dispatch: Dispatch
  private readonly identity: HelloTerms['client']
  private readonly principal: string | undefined
  private renewing = false
  private closing: Promise<void> | undefined
  private readonly expiry = new Timer(() => this.onExpired())
  private readonly age = new Timer(() => void this.close({ graceMs: retireGraceMs }))
  private readonly options: ResolvedOptions
  private readonly callers = new Map<AnyContract, object>()

  constructor(options: ResolvedOptions, session: Session, hello: HelloTerms, admitted: Admitted) {
    this.options = options
    this.peer = admitted.peer
    const { runtime, served } = options
    this.codec = codecsOf(runtime, hello)[0]!
    const table = tableOf(hello, served)
    this.contracts = contractsOf(hello)
    this.identity = hello.client
    this.principal = admitted.principal
    this.dispatch = new Dispatch({
      runtime,
      byId: (id) => table[id],
      byName: (name) => served.byName.get(name),
      surroundings: { context: admitted.context, connection: this },
      interceptors: options.interceptors,
    })
    this.calls = new Calls({
      runtime,
      session,
      peer: hello.limits,
      codec: this.codec,
      ids: idsFor(hello, served),
      role: 'server',
      dispatcher: this.dispatch,
      owner: {
        takeBack: failAll,
        onDrain: () => undefined,
        onParked: (reason) => this.report('debug', 'link lost', { reason }),
        onResumed: () => this.report('debug', 'session resumed', {}),
        onAuth: (map) => void this.onAuth(map['auth']),
        onEnd: (end) => {
          runtime.timers.disarm(this.expiry)
          runtime.timers.disarm(this.age)
          if (!end.byPeer && end.code !== 'session_lost' && end.code !== 'cancelled')
            this.report('warn', 'connection ended', {
              code: end.code,
              reason: end.reason,
              ...(end.cause === undefined ? {} : { err: end.cause }),
            })
          runtime.metrics?.count('connections_closed', end.code)
          admitted.onGone()
        },
      },
    })
    this.watchExpiry(admitted.expiresInMs)
  }

  /** A link that resumes the session was let in: what `authenticate` said of it holds from now on. */
  renew({ context, expiresInMs }: Admittance, peer: Peer = this.peer): void {
    this.peer = peer
    this.dispatch.surroundings = { context, connection: this }
    this.watchExpiry(expiresInMs)
  }

  private watchExpiry(expiresInMs: number | undefined): void {
    const { timers } = this.options.runtime
    timers.disarm(this.expiry)
    if (expiresInMs !== undefined) timers.arm(this.expiry, expiresInMs + expiryGraceMs)
  }

  private onExpired(): void {
    this.calls.session.fail(new ConnectionError('unauthenticated', 'expired'))
  }

  /** A fresh credential: calls that come after the answer have its context. */
  private async onAuth(credential: unknown): Promise<void> {
    const { session } = this.calls
    if (this.renewing) return session.fail(protocolError('AUTH before the answer to the last'))
    this.renewing = true
    try {
      const { peer, identity: client } = this
      const admittance = await admit(this.options.authenticate, { credential, peer, client })
      if (admittance.principal !== this.principal)
        return session.fail(new ConnectionError('unauthenticated', 'another principal'))
      this.renew(admittance)
      const { expiresInMs } = admittance
      session.writeAuth(expiresInMs === undefined ? {} : { expiresInMs })
    } catch (error) {
      session.fail(refusalOf(error), error)
    } finally {
      this.renewing = false
    }
  }

  private report(level: 'debug' | 'warn', event: string, fields: Record<string, unknown>): void {
    const { transport, remoteAddress } = this.peer
    this.options.quiet.report(level, event, { transport, remoteAddress, ...fields })
  }

  client<C extends AnyContract>(contract: C): ClientCallsOf<C> {
    let calls = this.callers.get(contract)
    if (calls === undefined) {
      const { runtime } = this.options
      calls = callsOf({ runtime, starter: this.calls, interceptors: [] }, contract, 'client')
      this.callers.set(contract, calls)
    }
    // Built from the contract: the type says the same.
    return calls as ClientCallsOf<C>
  }

  /** Asks the client to leave once `ms` are over. */
  retireAfter(ms: number): void {
    this.options.runtime.timers.arm(this.age, ms)
  }

  /** Lets running calls finish within the grace, fails the rest, closes. Always settles; idempotent. */
  close(options: DrainOptions): Promise<void> {
    return (this.closing ??= this.shutDown(options))
  }

  private async shutDown(drain: DrainOptions): Promise<void> {
    const { graceMs, reconnectAfterMs, returnMs = graceMs } = drain
    const { calls } = this
    const { clock, timers } = this.options.runtime
    const from = clock.now()
    const leaving = failure('unavailable', 'the server is shutting down', 'yes')
    const idle = calls.drain(reconnectAfterMs)
    await within(timers, graceMs * resumableShare, idle)
    calls.endResumable(leaving)
    await within(timers, graceMs * (1 - resumableShare), idle)
    calls.endIncoming(leaving)
    const [endsAt, returnsUntil] = [from + graceMs, from + returnMs]
    await departed(calls, { clock, timers, endsAt, returnsUntil })
    await calls.session.close()
  }
}

/** What a client says of its contracts, as one text that is equal only where all of it is. */
export function contractsOf(hello: HelloTerms): string {
  return JSON.stringify(hello.contracts)
}

/** Names of the codecs that both sides have, the one that this side likes best first. */
export function codecsOf({ codecs }: Runtime, hello: HelloTerms): readonly string[] {
  const [msgpack, ...others] = codecs.map(({ name }) => name)
  return [...others, msgpack!].filter((name) => hello.codecs.includes(name))
}

/** Methods by the ids that HELLO's order of contracts gives them. */
function tableOf(hello: HelloTerms, served: Served): readonly ServedMethod[] {
  return hello.contracts.flatMap(([name]) => served.methods.get(name) ?? [])
}

function idsFor(hello: HelloTerms, served: Served): ReturnType<typeof idsOfServer> {
  const known = hello.contracts.flatMap(([name]) => served.contracts.get(name) ?? [])
  const hashes = new Map(hello.contracts)
  return idsOfServer(
    known,
    (contract) => hashes.get(contract['~contract'].name) === contractHash(contract),
  )
}

function failAll(calls: readonly Startable[]): void {
  for (const call of calls)
    call.fail(new RpcError('unavailable', 'the client is gone', { processed: 'no' }))
}
