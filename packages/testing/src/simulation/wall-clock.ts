// The wall clock of a simulation: `Date` follows virtual time, and jumps when it is told to.
//   in  -> virtual time; jumps
//   out -> `Date.now()` and `new Date()` of this process, until it is put back
// Callbox itself times nothing by it; applications, and what they say of credentials, do.

const startMs = Date.UTC(2030, 0, 1)

/** One simulation at a time: the process has one `Date`. */
export class WallClock {
  private offsetMs = 0
  private readonly nowMs: () => number
  private readonly real: DateConstructor = globalThis.Date

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  /** Milliseconds since 1970, as the simulated wall clock tells them. */
  now(): number {
    return startMs + this.offsetMs + Math.floor(this.nowMs())
  }

  jump(byMs: number): void {
    this.offsetMs += byMs
  }

  /** From here on `Date` tells simulated time. */
  install(): void {
    const now = (): number => this.now()
    const Real = this.real
    globalThis.Date = new Proxy(Real, {
      construct: (target, given: unknown[], newTarget) =>
        Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget) as object,
      get: (target, key, receiver) =>
        key === 'now' ? now : (Reflect.get(target, key, receiver) as unknown),
    })
  }

  /** Puts the real `Date` back. Idempotent. */
  uninstall(): void {
    globalThis.Date = this.real
  }
}
