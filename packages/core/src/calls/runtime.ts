// What a client or a server gives to all of its calls.
//   in  -> a clock, limits, codecs, and what the platform has
//   out -> `Runtime`, shared by every connection of one client or server
// Core has no I/O, no clock and no storage of its own: this is where they come in.

import type { Report } from '../base/report.ts'
import type { Codec } from '../codec/codec.ts'
import type { ByteSink } from '../codec/sink.ts'
import type { Validate } from '../codec/validator.ts'
import type { SessionRuntime } from '../session/session.ts'
import type { RetryPolicy } from './retry.ts'

/** The handler that is running: calls made in it end with it and get no more time than it has. */
export interface CallScope {
  /** Moment of the clock at which its deadline passes; Infinity without one. */
  readonly deadlineAt: number
  readonly cancelled: boolean
  /** Calls `listener` when the handler is cancelled; the result takes it back. */
  whenCancelled(listener: () => void): () => void
}

/** How a runtime remembers which handler is running: AsyncLocalStorage on a server. */
export interface Ambient {
  run<T>(scope: CallScope, work: () => T): T
  current(): CallScope | undefined
}

export interface Runtime extends SessionRuntime {
  /** What payloads may be in. The first is msgpack: that of calls by name. */
  readonly codecs: readonly Codec[]
  /** Where outgoing messages are encoded; shared, for nothing is kept between two messages. */
  readonly sink: ByteSink
  /** Checks of values against schemas. Without it only the form of a payload is checked. */
  readonly validate?: Validate | undefined
  /** Whether a callee checks what its handlers return. */
  readonly checkOutput: boolean
  /** Which failed calls are sent again. Without it none is. */
  readonly retry?: RetryPolicy | undefined
  /** Whether calls wait for a connection, unless their options say otherwise. Default true. */
  readonly waitForReady?: boolean | undefined
  /** While this side is overloaded: after how many milliseconds to try again. New calls are refused. */
  readonly overload?: (() => number | undefined) | undefined
  readonly report: Report
}
