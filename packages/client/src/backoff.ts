// How long to wait before connecting again: full jitter, so that the clients of a server that
// restarts do not come back together.
// Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

/** `attempt` counts from 0; `random` is in [0, 1). All in milliseconds. */
export function backoffMs(
  attempt: number,
  firstMs: number,
  longestMs: number,
  random: number,
): number {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 30))
  return Math.round(random * ceiling)
}
