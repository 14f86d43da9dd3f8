// One error class, one closed list of codes, one table.
//   in  -> codes of this list, from the framework or thrown by handlers
//   out -> `RpcError`, the only error that a call rejects with
// The bytes of an ERROR frame are written and read in `frames/fields.ts`; what of an error may leave
// the process is decided in `calls/failure.ts`.

import type { Limits } from './limits.ts'

/**
 * Every code, with its number on the wire. 1 to 16 are those of gRPC
 * (https://grpc.io/docs/guides/status-codes/), 32 and up are Callbox's own.
 */
export const codeNumbers = {
  cancelled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
  session_lost: 32,
  contract_mismatch: 33,
  flow_control: 34,
  protocol: 35,
} as const

export type Code = keyof typeof codeNumbers

/**
 * Whether the handler of a failed call ran: `no`, it provably never started; `yes`, the callee
 * answered; `unknown`, nobody can tell.
 */
export type Processed = 'no' | 'yes' | 'unknown'

const codeNames = new Map<number, Code>(
  Object.entries(codeNumbers).map(([name, number]) => [number, name as Code]),
)

/** The code with this number, or undefined for a number that this version does not know. */
export function codeOf(number: number): Code | undefined {
  return codeNames.get(number)
}

export interface RpcErrorOptions {
  /** The declared error of the contract that this is. */
  readonly tag?: string | undefined
  /** The checked data of a declared error. */
  readonly data?: unknown
  /** Default `unknown`. */
  readonly processed?: Processed | undefined
  /** The callee asks not to be called again sooner, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** Names the log entry at the callee that holds the cause of an `internal` error. */
  readonly id?: string | undefined
  /** Stays in this process: never sent, never logged by the peer. */
  readonly cause?: unknown
}

const brand = Symbol.for('callbox.RpcError')

/**
 * How every call fails. Throw one in a handler to choose the code that its caller sees; any other
 * throw reaches the caller as `internal` with an id and no text.
 */
export class RpcError<Tag extends string = string, Data = unknown> extends Error {
  readonly code: Code
  readonly tag?: Tag
  readonly data?: Data
  readonly processed: Processed
  readonly retryAfterMs?: number
  readonly id?: string

  constructor(code: Code, message = '', options: RpcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RpcError'
    this.code = code
    this.processed = options.processed ?? 'unknown'
    if (options.tag !== undefined) this.tag = options.tag as Tag
    if (options.data !== undefined) this.data = options.data as Data
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs
    if (options.id !== undefined) this.id = options.id
  }

  /** `[deadline_exceeded] text`. */
  override toString(): string {
    return this.message === '' ? `[${this.code}]` : `[${this.code}] ${this.message}`
  }

  /** Recognises the errors of another installed copy of this package as well. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }
}

// On the prototype: an error that a user prints shows no brand.
Object.defineProperty(RpcError.prototype, brand, { value: true })

/** `instanceof` narrows to `RpcError<any, any>`; this keeps the data unknown. */
export function isRpcError(value: unknown): value is RpcError {
  return value instanceof RpcError
}

/** A broken rule of the wire: ends the connection, not only a call. */
export class ConnectionError extends Error {
  readonly code: Code
  /** Short, from a fixed vocabulary, safe to send: names a rule or a limit, never payload. */
  readonly reason: string
  /** The limit that was passed, where that is what ended it. */
  readonly limit: keyof Limits | undefined

  constructor(code: Code, reason: string, limit?: keyof Limits) {
    super(`[${code}] ${reason}`)
    this.name = 'ConnectionError'
    this.code = code
    this.reason = reason
    this.limit = limit
  }
}

/** Shorthand for the most frequent connection error. */
export function protocolError(reason: string): ConnectionError {
  return new ConnectionError('protocol', reason)
}
