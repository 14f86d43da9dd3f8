// Two ways to look at how a call failed without losing its types.
//   in  -> a call, or anything that was caught
//   out -> a pair of error and value, or a narrowed error

import { RpcError } from '../base/errors.ts'
import type { DeclaredError, Static } from '../contract/infer.ts'
import type { Outcome, Reply } from './types.ts'

/**
 * Waits for a call without throwing: `[undefined, value]` or `[error, undefined]`. The error has
 * the tags that the method declares. Rethrows what is not an `RpcError`: that is a bug, not an answer.
 */
export async function safe<T, E = unknown>(call: Reply<T, E>): Promise<Outcome<T, E>> {
  try {
    return [undefined, await call]
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    // The tag that came over the wire is one that the contract declares, or none: types follow.
    return [error, undefined] as unknown as Outcome<T, E>
  }
}

/** True for the declared error `tag` of `method`, thrown by whatever stood in between. */
export function isError<E, Tag extends keyof E & string>(
  error: unknown,
  method: { readonly errors: E },
  tag: Tag,
): error is DeclaredError<Tag, Static<E[Tag]>> {
  return error instanceof RpcError && error.tag === tag && Object.hasOwn(method.errors ?? {}, tag)
}
