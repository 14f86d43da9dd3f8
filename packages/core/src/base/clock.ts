// Time, timers, end of turn and chance, as an interface. Core never reads a clock or rolls a die
// by itself: whoever creates a client or a server passes one of these in, and tests pass the
// virtual clock of `@callbox/testing`.
//   in  -> the globals of a runtime (`clockOf(globalThis)`)
//   out -> `Clock`

/** What `setTimer` gives back; opaque to everyone but the clock that made it. */
export type TimerHandle = unknown

/** The only source of time and randomness in Callbox. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. Never goes back. */
  now(): number
  /** Calls `callback` once, `delayMs` milliseconds from now at the earliest. */
  setTimer(callback: () => void, delayMs: number): TimerHandle
  /** Takes a timer back. Harmless after it fired. */
  clearTimer(timer: TimerHandle): void
  /**
   * Calls `callback` once the running turn is over, promise reactions included: the moment to
   * write what the turn collected.
   */
  endOfTurn(callback: () => void): void
  /** A number in [0, 1), for jitter. Not for secrets. */
  random(): number
  /** `length` bytes of cryptographic quality, owned by the caller. */
  randomBytes(length: number): Uint8Array<ArrayBuffer>
}

/** The globals that a `Clock` is made of. `globalThis` of Node, Bun, Deno and browsers fits. */
export interface ClockHost {
  readonly performance: { now(): number }
  readonly crypto: { getRandomValues(array: Uint8Array<ArrayBuffer>): unknown }
  setTimeout(callback: () => void, delayMs: number): unknown
  clearTimeout(timer: never): void
  queueMicrotask(callback: () => void): void
  readonly process?: { nextTick?(callback: () => void): void } | undefined
}

/** setTimeout fires at once for delays above 2^31 - 1 ms. */
const longestDelayMs = 2 ** 31 - 1

/** The clock of a real runtime. */
export function clockOf(host: ClockHost): Clock {
  // In Node a tick runs when the queue of microtasks is empty, so that the answers of async
  // handlers, which take several microtasks, leave in one write. Elsewhere a microtask must do.
  const process = host.process
  const endOfTurn =
    process?.nextTick === undefined
      ? (callback: () => void): void => host.queueMicrotask(() => host.queueMicrotask(callback))
      : (callback: () => void): void => process.nextTick?.(callback)
  return {
    now: () => host.performance.now(),
    setTimer: (callback, delayMs) => host.setTimeout(callback, Math.min(delayMs, longestDelayMs)),
    clearTimer: (timer) => host.clearTimeout(timer as never),
    endOfTurn,
    random: () => Math.random(),
    randomBytes: (length) => {
      const bytes = new Uint8Array(length)
      host.crypto.getRandomValues(bytes)
      return bytes
    },
  }
}
