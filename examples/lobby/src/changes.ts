// Tells streams that something changed, without keeping what changed.
//   in  -> announce()
//   out -> one turn of every `watch` loop
// A watcher that is still busy with the last turn gets one turn for all that it missed, so a slow
// reader costs nothing and always sees the newest state.

export class Changes {
  #version = 0
  readonly #waiting = new Set<() => void>()

  /** Wakes every watcher. */
  announce(): void {
    this.#version++
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Streams that wait for a change now. */
  get watchers(): number {
    return this.#waiting.size
  }

  /** Turns once at first, then once after each change; ends when `signal` fires. */
  async *watch(signal: AbortSignal): AsyncGenerator<void, void, void> {
    while (!signal.aborted) {
      const seen = this.#version
      yield
      if (seen === this.#version) await this.#next(signal)
    }
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve()
      }
      if (signal.aborted) return resolve()
      signal.addEventListener('abort', wake)
      this.#waiting.add(wake)
    })
  }
}
