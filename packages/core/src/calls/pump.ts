// From an async iterable into a writer: the one place where a producer is pulled.
//   in  -> an AsyncIterable of the user
//   out -> encoded messages, one at a time, the next only when the last has gone to the link
// Suspending the iterator is the backpressure. Nothing is pulled ahead.

import type { Message } from './message.ts'
import type { StreamWriter } from './writer.ts'

export interface PumpEnd {
  /** Every item was sent, or nobody wants the rest. */
  onDone(): void
  /** The iterable threw, or an item does not encode. */
  onError(error: unknown): void
}

export class Pump<T> {
  private readonly iterator: AsyncIterator<T, unknown>
  private stopped = false

  constructor(items: AsyncIterable<T>) {
    this.iterator = items[Symbol.asyncIterator]()
  }

  /** Pulls until the iterable ends. `onDone` or `onError` is called once the iterator has settled. */
  async run(writer: StreamWriter, encode: (item: T) => Message, end: PumpEnd): Promise<void> {
    try {
      while (!this.stopped) {
        const result = await this.iterator.next()
        if (result.done === true) break
        if (!writer.open || this.stopped) {
          await this.iterator.return?.()
          break
        }
        const sent = writer.send(encode(result.value))
        if (sent !== undefined) await sent
      }
    } catch (error) {
      if (!this.stopped) this.leave()
      return end.onError(error)
    }
    end.onDone()
  }

  /**
   * Nobody wants the rest: an iterator that is suspended runs its `finally` now, one that is busy
   * when it comes to rest.
   */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.leave()
  }

  private leave(): void {
    // What a `finally` throws after the end has nowhere to go.
    void (async () => this.iterator.return?.())().catch(() => undefined)
  }
}
