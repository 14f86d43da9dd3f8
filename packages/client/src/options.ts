// Options of a client, resolved.
//   in  -> what a user writes
//   out -> the runtime of all its calls

import type { ClientInterceptor } from '@callbox/core'
import {
  ByteSink,
  clockOf,
  Memory,
  Parked,
  resolveLimits,
  RetryPolicy,
  Timers,
  type Clock,
  type Codec,
  type CodecChoice,
  type Limits,
  type LimitsOption,
  type Metrics,
  type Report,
  type Runtime,
  type Validate,
} from '@callbox/core/internal'

export interface ClientOptions {
  /**
   * Sent in the first frame of every connection, never in a URL. A function is asked before each
   * attempt to connect, so that it can renew what has expired.
   */
  readonly credential?: unknown
  /** What the server's `authenticate` sees as `client`. */
  readonly name?: string | undefined
  readonly version?: string | undefined
  /** Run around every call, the first outermost. */
  readonly interceptors?: readonly ClientInterceptor[] | undefined
  /** `validate` of `@callbox/core/validate`: inputs and outputs are checked on this side too. */
  readonly validate?: Validate | undefined
  /**
   * Refuses methods whose schemas differ from the server's with `contract_mismatch`. Default false:
   * each side checks with its own, so that rolling deploys go on working.
   */
  readonly strictContract?: boolean | undefined
  /**
   * Whether calls made without a connection wait for one, until their deadline (default true), or
   * fail at once with `unavailable`, processed `no`. A call's own option goes before it.
   */
  readonly waitForReady?: boolean | undefined
  /**
   * Payload codecs to offer for calls by id, beside msgpack; the server chooses. On Node the default
   * is `[compact()]` of `@callbox/core/compact`; in browsers there is none, so that nobody loads what
   * they do not use.
   */
  readonly codecs?: readonly CodecChoice[] | undefined
  /** A preset, or single limits. Default `internet`. */
  readonly limits?: LimitsOption | undefined
  /** Takes what happened that no call reports: dropped events, throwing listeners. */
  readonly logger?: Report | undefined
  /** Counts calls, retries, limits: `MetricsRegistry`, or what hands on to your own library. */
  readonly metrics?: Metrics | undefined
  /** For tests: `VirtualClock` of `@callbox/testing`. */
  readonly clock?: Clock | undefined
}

export interface ResolvedOptions {
  readonly runtime: Runtime
  readonly identity: { readonly name: string; readonly version: string }
  readonly credential: () => unknown
  readonly interceptors: readonly ClientInterceptor[]
  readonly strictContract: boolean
}

/** What a platform, or an entry of this package, gives to clients whose options do not say. */
export interface Defaults {
  /** msgpack: there is no client without it. */
  msgpack(limits: Limits): Codec
  readonly codecs: readonly CodecChoice[]
}

/** Throws RangeError for limits that cannot be. */
export function resolveOptions(options: ClientOptions, defaults: Defaults): ResolvedOptions {
  const clock = options.clock ?? clockOf(globalThis)
  const limits = resolveLimits(options.limits)
  const timers = new Timers(clock)
  const { credential } = options
  return {
    runtime: {
      clock,
      timers,
      limits,
      memory: new Memory(clock, timers, limits.processBudget),
      parked: new Parked(limits.parkedBudget),
      waitForReady: options.waitForReady,
      metrics: options.metrics,
      retry: new RetryPolicy(limits, () => clock.random()),
      codecs: [
        defaults.msgpack(limits),
        ...(options.codecs ?? defaults.codecs).map((choice) => choice.codec(limits)),
      ],
      sink: new ByteSink(),
      validate: options.validate,
      checkOutput: options.validate !== undefined,
      report: options.logger ?? (() => undefined),
    },
    identity: { name: options.name ?? 'callbox', version: options.version ?? '' },
    // The user's function, of which only the result travels.
    credential: typeof credential === 'function' ? (credential as () => unknown) : () => credential,
    interceptors: options.interceptors ?? [],
    strictContract: options.strictContract ?? false,
  }
}
