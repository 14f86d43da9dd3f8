// A client: the calls of every contract, what the server may call, and the connection.
//   in  -> contracts, a transport, options
//   out -> one object that a user keeps

import type { AnyContract, Client, ClientEvents, StateChange } from '@callbox/core'
import {
  callsOf,
  Dispatch,
  handlersOf,
  methodsOf,
  serve,
  type ServedMethod,
  type Transport,
  type WelcomeTerms,
} from '@callbox/core/internal'
import { ClientConnection } from './connection.ts'
import { hearHints } from './hints.ts'
import type { ResolvedOptions } from './options.ts'

const reserved: ReadonlySet<string> = new Set([
  'handle',
  'state',
  'on',
  'close',
  'inspect',
  'then',
  'toJSON',
])

/** Makes a client; see `createClient`. */
export function clientOf<Cs>(
  contracts: Readonly<Record<string, AnyContract>>,
  transport: Transport,
  resolved: ResolvedOptions,
): Client<Cs> {
  const entries = Object.entries(contracts)
  checkNames(entries)
  const listeners = new Listeners(resolved)
  const served = new ServedByClient(resolved)
  const connection = new ClientConnection({
    options: resolved,
    transport,
    contracts: entries.map(([, contract]) => contract),
    dispatcher: (welcome) =>
      served.agree(
        entries.map(([, contract]) => contract),
        welcome,
      ),
    onState: (change) => listeners.onState(change),
    onResumed: () => listeners.tell('resumed'),
    onSessionLost: () => listeners.tell('sessionLost'),
  })
  const parts = {
    runtime: resolved.runtime,
    starter: connection,
    interceptors: resolved.interceptors,
  }
  const client: object = Object.create(null) as object
  for (const [key, contract] of entries)
    Object.defineProperty(client, key, {
      value: callsOf(parts, contract, 'methods'),
      enumerable: true,
    })
  const forget = hearHints(globalThis, () => connection.hurry())
  const close = (): Promise<void> => {
    forget()
    return connection.close()
  }
  const controls = {
    handle: (contract: AnyContract, handlers: object) => served.add(contract, handlers),
    on: (event: keyof ClientEvents, listener: () => void) => listeners.add(event, listener),
    inspect: () => connection.snapshot(),
    close,
    [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]: close,
  }
  Object.defineProperty(client, 'state', { get: () => connection.state, enumerable: true })
  for (const key of Reflect.ownKeys(controls))
    Object.defineProperty(client, key, { value: controls[key as keyof typeof controls] })
  // Built from the contracts, key by key: the type says the same.
  return Object.freeze(client) as Client<Cs>
}

function checkNames(entries: readonly (readonly [string, AnyContract])[]): void {
  const names = new Set<string>()
  for (const [key, contract] of entries) {
    if (reserved.has(key)) throw new TypeError(`createClient: '${key}' is reserved`)
    const { name } = contract['~contract']
    if (names.has(name)) throw new TypeError(`createClient: two contracts are named '${name}'`)
    names.add(name)
  }
}

/** Who listens to what. A listener that throws does not disturb the others. */
class Listeners {
  private readonly sets: { readonly [K in keyof ClientEvents]: Set<ClientEvents[K]> } = {
    state: new Set(),
    resumed: new Set(),
    sessionLost: new Set(),
  }
  private readonly options: ResolvedOptions

  constructor(options: ResolvedOptions) {
    this.options = options
  }

  add(event: keyof ClientEvents, listener: () => void): () => void {
    const set: Set<() => void> = this.sets[event] as Set<() => void>
    set.add(listener)
    return () => set.delete(listener)
  }

  onState(change: StateChange): void {
    for (const listener of this.sets.state) this.guarded(() => listener(change))
  }

  tell(event: 'resumed' | 'sessionLost'): void {
    for (const listener of this.sets[event]) this.guarded(listener)
  }

  private guarded(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.options.runtime.report('error', 'listener failed', { err: error })
    }
  }
}

/** What the server may call on this client. */
class ServedByClient {
  private readonly options: ResolvedOptions
  private readonly methods = new Map<string, ServedMethod>()

  constructor(options: ResolvedOptions) {
    this.options = options
  }

  /** Throws TypeError if a handler is missing, is one too many, or is there already. */
  add(contract: AnyContract, handlers: object): () => void {
    const { runtime } = this.options
    const served = serve(runtime, contract, handlersOf(contract, handlers, 'client'), 'client')
    for (const { name } of served)
      if (this.methods.has(name)) throw new TypeError(`handle: '${name}' has a handler already`)
    for (const method of served) this.methods.set(method.name, method)
    return () => {
      for (const method of served)
        if (this.methods.get(method.name) === method) this.methods.delete(method.name)
    }
  }

  /** Ids of one session; handlers may come and go while it lives. */
  agree(contracts: readonly AnyContract[], welcome: WelcomeTerms): Dispatch {
    const names: string[] = []
    for (const contract of contracts) {
      const { name } = contract['~contract']
      // Where the hashes differ the server calls by name.
      if (welcome.methods !== undefined && Object.hasOwn(welcome.methods, name)) continue
      for (const method of methodsOf(contract).client) names.push(`${name}.${method.name}`)
    }
    return new Dispatch({
      runtime: this.options.runtime,
      byId: (id) => {
        const name = names[id]
        return name === undefined ? undefined : this.methods.get(name)
      },
      byName: (name) => this.methods.get(name),
      surroundings: { context: undefined, connection: undefined },
      interceptors: [],
    })
  }
}
