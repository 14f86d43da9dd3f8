// Functions around calls: `(call, next) => next()`, the same on both sides.
//   in  -> interceptors, in the order in which a user lists them; the call itself
//   out -> one function; the first of the list is the outermost
// Each may go on once. What it changes is merged into what those before it have changed.

import type { CallChanges, Next } from './types.ts'

export type AnyInterceptor<View> = (call: View, next: Next) => Promise<unknown>

/** Runs `work` inside the interceptors. Rejects with what any of them throws. */
export async function intercept<View>(
  interceptors: readonly AnyInterceptor<View>[],
  view: View,
  work: (changes: CallChanges) => Promise<unknown>,
): Promise<unknown> {
  const enter = (index: number, changes: CallChanges): Promise<unknown> => {
    const interceptor = interceptors[index]
    if (interceptor === undefined) return work(changes)
    let entered = false
    return interceptor(view, async (more = {}) => {
      if (entered) throw new Error('an interceptor called next() twice')
      entered = true
      return enter(index + 1, { metadata: { ...changes.metadata, ...more.metadata } })
    })
  }
  return enter(0, {})
}
