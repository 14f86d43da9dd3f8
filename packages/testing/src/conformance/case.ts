// What a conformance case is: an id, where it runs, what is done, what must come of it.
//   in  -> (types)
//   out -> `CallCase`: calls that a caller makes; `WireCase`: bytes that a raw peer sends
// Ids are those of the list of cases; a case of that list may have several entries here.

import type { ClientCallsOf } from '@callbox/core'
import type { Limits } from '@callbox/core'
import type { conf } from './contract.ts'
import type { Step } from './steps.ts'

/** Calls of `conf`, whichever side makes them. */
export type Caller = ClientCallsOf<typeof conf>

/** How much a case does where the list gives a large number. */
export interface Amount {
  /** `full`: the number of the list. `light`: a fraction, for runs on every transport. */
  readonly amount: 'full' | 'light'
}

/** Calls, and what they give: runs with any caller of any callee. */
export interface CallCase {
  /** `C29`. */
  readonly id: string
  readonly title: string
  /** `server`: only where a server answers; it checks what its handlers return. */
  readonly callee?: 'server'
  /** Does something that must not run beside another case on the same connection. */
  readonly alone?: boolean
  /** Rejects with an Error that says what was wrong. */
  readonly run: (caller: Caller, how: Amount) => Promise<void>
}

/** Links: every kind; byte streams (TCP, TLS, unix socket); WebSocket. */
export type Where = 'L' | 'S' | 'W'

/** How the connection between the raw peer and its other side ends. */
export type Ending =
  /** GOAWAY with this code, and a reason with these texts in it; then the link closes. */
  | {
      readonly goAway: number
      readonly reason?: string | readonly string[]
      readonly versions?: unknown
    }
  /** The link closes, with GOAWAY or without. */
  | { readonly closed: true }
  /** WebSocket close with this code. */
  | { readonly webSocketClose: number }

/** A conversation of a raw peer with a client or server under test. */
export interface WireCase {
  readonly id: string
  readonly title: string
  readonly where: Where
  /** What is under test; the raw peer is the other one. */
  readonly tests: 'server' | 'client'
  /** Limits of the side under test. */
  readonly limits?: Partial<Limits>
  /** The raw peer shakes hands by itself first. Default true. */
  readonly handshake?: boolean
  readonly steps: readonly Step[]
  /** Default: the connection lives, and a further call on it succeeds. */
  readonly ends?: Ending
  /** An id for that further call; default one that is far ahead. */
  readonly nextId?: number
  /** How long the end is waited for, in milliseconds. Default 10,000. */
  readonly endsWithinMs?: number
  /** Known to fail: it must go on failing, or this must go. */
  readonly expected?: 'fail'
  /** The client does not connect again soon: its next call is not waited for. */
  readonly staysAway?: boolean
}

/** The title of a test: `[case C15] a second HELLO`. The number first: runners cut long titles. */
export function titleOf({ id, title }: { readonly id: string; readonly title: string }): string {
  return `[case ${id}] ${title}`
}
