// Turns real time into ticks.
//   in  -> a function that makes one tick
//   out -> calls of it, as many a second as asked
// After a stall a few ticks are made up for; the rest of the lost time is dropped, and rounds last
// longer instead of jumping.

const mostAtOnce = 5

/** Calls `tick` so many times a second until the returned function is called. */
export function startTicker(tick: () => void, ticksPerSecond: number): () => void {
  const tickMs = 1_000 / ticksPerSecond
  let due = performance.now() + tickMs
  const timer = setInterval(() => {
    const now = performance.now()
    for (let made = 0; made < mostAtOnce && due <= now; made++, due += tickMs) tick()
    if (due <= now) due = now + tickMs
  }, tickMs / 2)
  return () => clearInterval(timer)
}
