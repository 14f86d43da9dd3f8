// Options of a server, resolved.
//   in  -> what a user writes
//   out -> the runtime of all its calls, the tables of its services

import type { Connection, Interceptor, Service } from '@callbox/core'
import { compact } from '@callbox/core/compact'
import {
  ByteSink,
  clockOf,
  contractOfService,
  LagMonitor,
  Memory,
  Parked,
  resolveLimits,
  servedMethods,
  Timers,
  type AnyContract,
  type Clock,
  type CodecChoice,
  type LimitsOption,
  type Metrics,
  type Report,
  type Runtime,
  type ServedMethod,
  type ServerSnapshot,
  type ServiceOptions,
  type Transport,
} from '@callbox/core/internal'
import { msgpackCodec } from '@callbox/core/msgpack'
import { validate } from '@callbox/core/validate'
import { stderrLogger } from './logger.ts'
import { Quiet } from './quiet.ts'

export interface ServerOptions<S extends readonly Service<never>[], Context> extends ServiceOptions<
  S,
  Context
> {
  /** A preset, or single limits. Default `internet`: every client is hostile. */
  readonly limits?: LimitsOption | undefined
  /** Takes one event at a time. Default: a line on standard error, from `info` up. */
  readonly logger?: Report | undefined
  /**
   * Payload codecs for calls by id, the one that is liked best first; msgpack is always there.
   * Default `[compact()]` of `@callbox/core/compact`; `[]` for msgpack alone.
   */
  readonly codecs?: readonly CodecChoice[] | undefined
  /** Whether outputs are checked against their schemas. Default: unless NODE_ENV is `production`. */
  readonly validateOutput?: boolean | undefined
  /** What clients see in WELCOME. */
  readonly name?: string | undefined
  readonly version?: string | undefined
  /** Called for every client that has been let in. */
  readonly onConnection?: ((connection: Connection) => void) | undefined
  /** Counts calls, limits, connections: `MetricsRegistry`, or what hands on to your own library. */
  readonly metrics?: Metrics | undefined
  /** For tests: `VirtualClock` of `@callbox/testing`. */
  readonly clock?: Clock | undefined
}

/** Where a server listens. */
export interface ListeningOn {
  readonly address: string
  readonly port: number
  /** Stops accepting here. Connections live on. Idempotent. */
  close(): Promise<void>
}

export interface CloseOptions {
  /** How long running calls may go on, in milliseconds. Default 10,000. */
  readonly graceMs?: number | undefined
  /**
   * How long the server still accepts connections while calls run, in milliseconds: whoever routes
   * to it takes a while to notice, and a client whose link breaks can come back. At most `graceMs`.
   * Default 5,000.
   */
  readonly acceptMs?: number | undefined
  /**
   * Clients are told to connect anew within so many milliseconds, each at a moment of its own.
   * Default: a fifth of `graceMs`, at most 2,000.
   */
  readonly spreadMs?: number | undefined
}

export interface Server {
  /** Listens on one more transport. Rejects with the cause if it cannot. */
  listen(transport: Transport): Promise<ListeningOn>
  /**
   * Stops accepting, lets running calls finish within the grace, fails the rest with `unavailable`,
   * closes every connection. Always settles; idempotent.
   */
  close(options?: CloseOptions): Promise<void>
  /** What is open and held at this moment: for status pages, and tests that count. */
  inspect(): ServerSnapshot
  [Symbol.asyncDispose](): Promise<void>
}

/** The services of a server, looked up by what the wire says. */
export interface Served {
  readonly contracts: ReadonlyMap<string, AnyContract>
  /** Methods of a contract in the order of their ids. */
  readonly methods: ReadonlyMap<string, readonly ServedMethod[]>
  readonly byName: ReadonlyMap<string, ServedMethod>
}

export interface ResolvedOptions {
  readonly runtime: Runtime
  /** For what a peer can cause as often as it likes. */
  readonly quiet: Quiet
  /** Watched while the server listens: over `limits.maxLagMs` new calls are refused. */
  readonly lag: LagMonitor
  readonly served: Served
  readonly identity: { readonly name: string; readonly version: string; readonly epoch: string }
  readonly authenticate: ((hello: never) => unknown) | undefined
  readonly interceptors: readonly Interceptor<never>[]
  readonly onConnection: (connection: Connection) => void
}

/** What a call that is refused for overload is told to wait, in milliseconds. */
const overloadRetryMs = 1_000

/** Throws TypeError for services that cannot be, RangeError for limits. */
export function resolveOptions(
  options: ServerOptions<readonly Service<never>[], never>,
): ResolvedOptions {
  const clock = options.clock ?? clockOf(globalThis)
  const limits = resolveLimits(options.limits)
  const timers = new Timers(clock)
  const lag = new LagMonitor(clock, limits)
  const runtime: Runtime = {
    clock,
    timers,
    limits,
    memory: new Memory(clock, timers, limits.processBudget),
    parked: new Parked(limits.parkedBudget),
    metrics: options.metrics,
    overload: () => (lag.overloaded ? overloadRetryMs : undefined),
    codecs: [
      msgpackCodec(limits),
      ...(options.codecs ?? [compact()]).map((choice) => choice.codec(limits)),
    ],
    sink: new ByteSink(),
    validate,
    checkOutput: options.validateOutput ?? process.env['NODE_ENV'] !== 'production',
    report: options.logger ?? stderrLogger,
  }
  const epoch = Buffer.from(clock.randomBytes(8)).toString('hex')
  return {
    runtime,
    quiet: new Quiet(clock, runtime.report),
    lag,
    served: serveAll(runtime, options.services),
    identity: { name: options.name ?? 'callbox', version: options.version ?? '', epoch },
    authenticate: options.authenticate,
    interceptors: options.interceptors ?? [],
    onConnection: options.onConnection ?? (() => undefined),
  }
}

function serveAll(runtime: Runtime, services: readonly Service<never>[]): Served {
  const contracts = new Map<string, AnyContract>()
  const methods = new Map<string, readonly ServedMethod[]>()
  const byName = new Map<string, ServedMethod>()
  for (const service of services) {
    const contract = contractOfService(service)
    const { name } = contract['~contract']
    if (contracts.has(name))
      throw new TypeError(`createServer: two services of the contract '${name}'`)
    contracts.set(name, contract)
    const list = servedMethods(runtime, service)
    methods.set(name, list)
    for (const method of list) byName.set(method.name, method)
  }
  return { contracts, methods, byName }
}
