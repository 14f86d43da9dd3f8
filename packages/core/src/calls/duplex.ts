// Both directions of a bidi call as its caller sees them.
//   in  -> a call
//   out -> its items, and `send`

/// <reference lib="esnext.disposable" preserve="true" />

import type { OutgoingCall } from './outgoing.ts'
import type { StreamReader } from './reader.ts'
import type { StreamWriter } from './writer.ts'
import type { Duplex } from './types.ts'

export class DuplexStream implements Duplex<unknown, unknown> {
  private readonly call: OutgoingCall
  private readonly items: StreamReader<unknown>
  private readonly writer: StreamWriter

  /** `call` is of kind `bidi`: it has items and a writer. */
  constructor(call: OutgoingCall) {
    this.call = call
    this.items = call.items!
    this.writer = call.writer!
  }

  /**
   * Resolves when the item has gone to the link. After the callee has ended the call, or wants no
   * more, it resolves without sending: the items say how the call ended.
   */
  async send(item: unknown): Promise<void> {
    if (this.writer.open) await this.writer.send(this.call.encodeItem(item))
  }

  end(): void {
    this.writer.end()
  }

  next(): Promise<IteratorResult<unknown, void>> {
    return this.items.next()
  }

  return(): Promise<IteratorResult<unknown, void>> {
    return this.items.return()
  }

  cancel(): void {
    this.items.cancel()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.items[Symbol.asyncDispose]()
  }
}
