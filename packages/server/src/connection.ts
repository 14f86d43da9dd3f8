// One client, let in: its calls, and calls to it.
//   in  -> a session, the HELLO of the client, what `authenticate` gave
//   out -> the dispatcher of its calls; `Connection`, as handlers see it

import type { AnyContract, ClientCallsOf, Connection, Peer } from '@callbox/core'
import {
  Calls,
  callsOf,
  contractHash,
  Dispatch,
  failure,
  idsOfServer,
  RpcError,
  type HelloTerms,
  type ServedMethod,
  type Session,
  type Startable,
} from '@callbox/core/internal'
import type { ResolvedOptions, Served } from './options.ts'

export interface Admitted {
  readonly context: unknown
  readonly peer: Peer
  readonly onGone: () => void
}

export class ServerConnection implements Connection {
  readonly peer: Peer
  readonly calls: Calls
  private readonly options: ResolvedOptions
  private readonly callers = new Map<AnyContract, object>()

  constructor(options: ResolvedOptions, session: Session, hello: HelloTerms, admitted: Admitted) {
    this.options = options
    this.peer = admitted.peer
    const { runtime, served } = options
    const table = tableOf(hello, served)
    this.calls = new Calls({
      runtime,
      session,
      peer: hello.limits,
      ids: idsFor(hello, served),
      role: 'server',
      dispatcher: new Dispatch({
        runtime,
        byId: (id) => table[id],
        byName: (name) => served.byName.get(name),
        surroundings: { context: admitted.context, connection: this },
        interceptors: options.interceptors,
      }),
      owner: {
        takeBack: failAll,
        onDrain: () => undefined,
        onEnd: (end) => {
          if (!end.byPeer && end.code !== 'session_lost' && end.code !== 'cancelled')
            runtime.report('warn', 'connection ended', {
              transport: this.peer.transport,
              remoteAddress: this.peer.remoteAddress,
              code: end.code,
              reason: end.reason,
              ...(end.cause === undefined ? {} : { err: end.cause }),
            })
          admitted.onGone()
        },
      },
    })
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

  /** Lets running calls finish within the grace, fails the rest, closes. Always settles. */
  async close(graceMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    await Promise.race([
      this.calls.drain(),
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs)
      }),
    ])
    clearTimeout(timer)
    this.calls.endIncoming(failure('unavailable', 'the server is shutting down', 'yes'))
    await this.calls.session.close()
  }
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
