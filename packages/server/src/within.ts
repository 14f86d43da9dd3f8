// Waits for work, but not for ever.
//   in  -> a promise, milliseconds of the server's clock
//   out -> a promise that settles when the first of both is over

import { Timer, type Timers } from '@callbox/core/internal'

/** Never rejects: what `work` fails with is its own affair. */
export function within(timers: Timers, ms: number, work: Promise<unknown>): Promise<void> {
  if (ms <= 0) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = new Timer(resolve)
    timers.arm(timer, ms)
    const onSettled = (): void => {
      timers.disarm(timer)
      resolve()
    }
    work.then(onSettled, onSettled)
  })
}
