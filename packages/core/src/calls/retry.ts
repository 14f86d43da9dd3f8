// Which failed calls are sent again, and when.
//   in  -> how a call failed, how often it was sent, the present
//   out -> a delay, or nothing
// Pure. A call that provably did not run costs nothing to repeat; one that may have run only where
// its method says that it does no harm (`idempotent`). A budget keeps a server that is down from
// getting three times the load (gRPC proposal A6; Finagle's retry budget).

import type { RpcError } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'

/** Of the budget: what each call that is made gives back. */
const refundPerCall = 0.1

/** A call that has failed. */
export interface FailedCall {
  readonly error: RpcError
  /** Whether the callee has answered, or only the connection has ended. */
  readonly answered: boolean
  /** Whether the callee asks not to be called again. */
  readonly final: boolean
  readonly idempotent: boolean
  /** A stream that goes on where it was: nothing is done twice, so no budget is spent. */
  readonly resumable?: boolean
  /** How often it has been sent. */
  readonly attempts: number
  /** Milliseconds until its deadline; Infinity without one. */
  readonly msLeft: number
}

export class RetryPolicy {
  private tokens: number
  private readonly limits: Limits
  private readonly random: () => number

  /** `random` gives numbers in [0, 1). */
  constructor(limits: Limits, random: () => number) {
    this.limits = limits
    this.random = random
    this.tokens = limits.retryBudget
  }

  /** Calls that may be sent again now. */
  get budget(): number {
    return Math.floor(this.tokens)
  }

  /** A call is made. */
  onCall(): void {
    this.tokens = Math.min(this.limits.retryBudget, this.tokens + refundPerCall)
  }

  /** Milliseconds after which to send it again, and takes that from the budget; or undefined. */
  delayMs(call: FailedCall): number | undefined {
    const { limits } = this
    if (call.final || call.attempts >= limits.maxAttempts || !mayRepeat(call)) return undefined
    const longest = Math.min(limits.maxRetryMs, limits.retryMs * 2 ** (call.attempts - 1))
    // What the callee says goes before what this side would guess.
    const delay = call.error.retryAfterMs ?? this.random() * longest
    if (delay >= call.msLeft) return undefined
    if (call.resumable === true) return delay
    if (this.tokens < 1) return undefined
    this.tokens -= 1
    return delay
  }
}

function mayRepeat({ error, answered, idempotent }: FailedCall): boolean {
  switch (error.code) {
    case 'unavailable':
      return error.processed === 'no' || idempotent
    case 'resource_exhausted':
      // Of this side: a limit that would be hit again.
      return answered && (error.processed === 'no' || idempotent)
    case 'session_lost':
      return idempotent
    default:
      // Another code would come again.
      return false
  }
}
