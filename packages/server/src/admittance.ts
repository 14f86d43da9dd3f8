// What `authenticate` says of a client, checked: who it is, for how long, and its context.
//   in  -> a credential, the user's function
//   out -> `Admittance`, or the ConnectionError that refuses the client

import type { Hello, SessionTerms } from '@callbox/core/internal'
import { ConnectionError, RpcError } from '@callbox/core/internal'

export interface Admittance {
  readonly context: unknown
  readonly principal: string | undefined
  /** Milliseconds until the credential expires; undefined if it does not. */
  readonly expiresInMs: number | undefined
}

/** `authenticate` is the user's: its result is only read for `principal` and `expiresAt`. */
export async function admit(
  authenticate: ((hello: never) => unknown) | undefined,
  hello: Hello,
): Promise<Admittance> {
  // Handlers and `authenticate` were checked against each other: from here on it is opaque.
  const context = await (authenticate as ((hello: Hello) => unknown) | undefined)?.(hello)
  const terms: SessionTerms = typeof context === 'object' && context !== null ? context : {}
  const { principal, expiresAt } = terms
  const expiresInMs =
    expiresAt instanceof Date ? Math.max(0, expiresAt.getTime() - Date.now()) : undefined
  return {
    context,
    principal: typeof principal === 'string' ? principal : undefined,
    expiresInMs: Number.isNaN(expiresInMs) ? 0 : expiresInMs,
  }
}

/** What `authenticate` throws: an RpcError says more, anything else is no reason to tell. */
export function refusalOf(error: unknown): ConnectionError {
  if (error instanceof RpcError && error.code !== 'unavailable' && error.code !== 'aborted')
    return new ConnectionError(error.code, error.message.slice(0, 200))
  return new ConnectionError('unauthenticated', 'not authenticated')
}
