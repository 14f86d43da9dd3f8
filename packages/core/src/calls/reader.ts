// One direction of a stream, receiving: frames become items for one reader.
//   in  -> DATA frames, an end or a failure
//   out -> an async iterator; CREDIT to grant as items are taken
// Holds at most the window and one message: payloads as they came, decoded when they are taken.

/// <reference lib="esnext.disposable" preserve="true" />

import { protocolError, type RpcError } from '../base/errors.ts'
import { Queue } from '../base/queue.ts'
import type { MessageFields } from '../frames/fields.ts'
import { Flag } from '../frames/frame.ts'
import { nodeCost, type Ledger } from '../session/ledger.ts'
import type { ReceiveWindow } from './credit.ts'
import { Assembly } from './fragment.ts'
import type { Items } from './types.ts'

export interface ReaderHooks<T> {
  /** Decodes and checks an item. What it throws ends the stream. */
  decode(bytes: Uint8Array, start: number, end: number): T
  /** META of an item that has come whole; answers why continuity is lost at it, if it is. */
  position?(meta: Uint8Array): string | undefined
  /** The reader is about to get an item that does not follow the one before it. */
  reset?(reason: string): void
  /** Nodes of the item decoded last. */
  nodes(): number
  /** The reader does not want the rest. */
  cancel(): void
  /** `decode` threw: the stream is over, the other side has to know. */
  refuse(error: unknown): RpcError
}

/** How a received frame ended: what the call has to do about it. */
export type Received = 'ok' | 'beyond credit' | 'over maxMessage'

interface Item {
  readonly bytes: Uint8Array
  /** Of the window, in bytes, and how much of that was granted again on receipt. */
  cost: number
  advanced: number
  readonly reset: string | undefined
}

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T, void>) => void
  readonly reject: (error: unknown) => void
}

const done: IteratorReturnResult<void> = Object.freeze({ done: true, value: undefined })

export class StreamReader<T> implements Items<T> {
  /** True once an item has arrived whole. */
  begun = false
  private readonly hooks: ReaderHooks<T>
  /** Known once the call has a session. */
  private window: ReceiveWindow | undefined
  private readonly frameCost: number
  private readonly maxMessage: number
  private readonly items = new Queue<Item>()
  private readonly waiters = new Queue<Waiter<T>>()
  private ledger: Ledger | undefined
  private assembly: Assembly | undefined
  /** META of the message that is coming in. */
  private meta: Uint8Array | undefined
  private onRead: (() => void) | undefined
  /** What the items that the reader has are charged, in bytes. */
  private held = 0
  private closed = false
  private failure: RpcError | undefined

  /** Limits in bytes. */
  constructor(
    hooks: ReaderHooks<T>,
    limits: { readonly frameCost: number; readonly maxMessage: number },
  ) {
    this.hooks = hooks
    this.frameCost = limits.frameCost
    this.maxMessage = limits.maxMessage
  }

  /** Frames may come: they are charged to this window and this ledger. */
  attach(window: ReceiveWindow, ledger: Ledger): void {
    this.window = window
    this.ledger = ledger
    this.held = 0
  }

  /** Whether the reader waits for its next item. */
  get waitedFor(): boolean {
    return this.waiters.length > 0
  }

  /** Items that wait unread. */
  get unread(): number {
    return this.items.length
  }

  /** Whether a message has begun and not ended: END may not come now. */
  get midMessage(): boolean {
    return this.assembly !== undefined
  }

  /**
   * Takes one DATA frame. Throws ConnectionError for fragments that contradict each other.
   * An item that nobody waits for is copied, for the frame is only borrowed (`slice` of a Buffer of
   * Node is a view and would keep the whole chunk alive).
   */
  receive(buffer: Uint8Array, flags: number, fields: MessageFields, end: number): Received {
    const { payloadStart } = fields
    const cost = end - payloadStart + (fields.metaEnd - fields.metaStart) + this.frameCost
    if (!this.window!.receive(cost)) return 'beyond credit'
    if ((flags & (Flag.More | Flag.Cont)) === 0) {
      if (this.assembly !== undefined) throw protocolError('a message begins inside another')
      this.begun = true
      if (this.closed) return 'ok'
      this.meta = this.metaOf(buffer, fields)
      if (this.waiters.length > 0) this.deliver(buffer, payloadStart, end, cost, 0)
      else this.keep(new Uint8Array(buffer.subarray(payloadStart, end)), cost, 0)
      return 'ok'
    }
    return this.receiveFragment(buffer, flags, fields, end, cost)
  }

  private receiveFragment(
    buffer: Uint8Array,
    flags: number,
    fields: MessageFields,
    end: number,
    cost: number,
  ): Received {
    if ((flags & Flag.Cont) === 0) {
      if (this.assembly !== undefined) throw protocolError('a message begins inside another')
      if (fields.total > this.maxMessage) return 'over maxMessage'
      this.assembly = new Assembly(fields.total)
      this.meta = this.metaOf(buffer, fields)
      this.window!.beginMessage()
    }
    const { assembly } = this
    if (assembly === undefined) throw protocolError('fragment of no message')
    if (this.closed) {
      // Nobody will read it: count what comes, keep nothing.
      if ((flags & Flag.More) === 0) this.assembly = undefined
      return 'ok'
    }
    assembly.add(buffer, fields.payloadStart, end)
    assembly.cost += cost
    if ((flags & Flag.More) !== 0) {
      // While a complete message waits in front, an incomplete one must wait for its credit.
      if (this.items.length === 0) this.advance(assembly)
      return 'ok'
    }
    const bytes = assembly.finish()
    const { advanced } = assembly
    this.assembly = undefined
    this.begun = true
    this.window!.endMessage()
    if (this.waiters.length > 0) this.deliver(bytes, 0, bytes.length, assembly.cost, advanced)
    else this.keep(bytes, assembly.cost, advanced)
    return 'ok'
  }

  private keep(bytes: Uint8Array, cost: number, advanced: number): void {
    const reset = this.positionOf()
    if (!this.closed) this.items.push({ bytes, cost, advanced, reset })
  }

  /** A copy, where anybody wants to know it. */
  private metaOf(buffer: Uint8Array, fields: MessageFields): Uint8Array | undefined {
    const { metaStart, metaEnd } = fields
    if (this.hooks.position === undefined || metaStart === metaEnd) return undefined
    return new Uint8Array(buffer.subarray(metaStart, metaEnd))
  }

  private positionOf(): string | undefined {
    const { meta } = this
    this.meta = undefined
    return meta === undefined ? undefined : this.hooks.position?.(meta)
  }

  /**
   * The session is over, the stream is not: it will be opened again. What waits unread stays, and
   * is charged to nobody any more.
   */
  detach(): void {
    for (let index = 0; index < this.items.length; index += 1) {
      const item = this.items.at(index)!
      item.cost = item.advanced = 0
    }
    this.assembly = this.meta = undefined
    this.window?.close()
    this.window = undefined
    this.held = 0
  }

  /** Calls `listener` once nothing waits unread: what comes then cannot pile up behind it. */
  whenRead(listener: () => void): void {
    if (this.items.length === 0) listener()
    else this.onRead = listener
  }

  /** The peer will send no more. What waits is delivered first; then `failure`, if there is one. */
  finish(failure?: RpcError): void {
    if (this.closed) return
    this.closed = true
    this.failure = failure
    this.assembly = undefined
    this.onRead = undefined
    this.window?.stop()
    if (this.items.length === 0) this.window?.close()
    this.settleWaiters()
  }

  /** Ends at once: what waits unread is dropped. */
  abandon(failure?: RpcError): void {
    // Its end may have come, unread like the items before it: it must not be taken for all of them.
    if (this.closed && this.items.length > 0) this.failure = failure
    this.items.clear()
    this.release()
    if (this.closed) this.window?.close()
    this.finish(failure)
  }

  next(): Promise<IteratorResult<T, void>> {
    this.release()
    const item = this.items.shift()
    if (item !== undefined) {
      this.window?.take(item.cost, item.advanced)
      if (this.closed && this.items.length === 0) this.window?.close()
      if (item.reset !== undefined) this.hooks.reset?.(item.reset)
      const value = this.decode(item.bytes, 0, item.bytes.length)
      if (value !== undefined) return Promise.resolve(value)
    }
    if (this.closed) {
      const { failure } = this
      this.failure = undefined
      return failure === undefined ? Promise.resolve(done) : Promise.reject(failure)
    }
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject })
      // Whoever asks now waits for the next message: the rest of it may come.
      if (this.assembly !== undefined) this.advance(this.assembly)
      const { onRead } = this
      this.onRead = undefined
      onRead?.()
    })
  }

  /** Grants what a message has cost so far: nothing complete waits in front of it. */
  private advance(assembly: Assembly): void {
    const cost = assembly.cost - assembly.advanced
    assembly.advanced = assembly.cost
    this.window!.advance(cost)
  }

  /** The reader has moved on. */
  private release(): void {
    if (this.held === 0) return
    this.ledger!.hold(-this.held)
    this.held = 0
  }

  /** What `break` calls. */
  return(): Promise<IteratorResult<T, void>> {
    this.cancel()
    return Promise.resolve(done)
  }

  cancel(): void {
    const open = !this.closed
    this.failure = undefined
    this.abandon()
    if (open) this.hooks.cancel()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cancel()
    return Promise.resolve()
  }

  private deliver(
    bytes: Uint8Array,
    start: number,
    end: number,
    cost: number,
    advanced: number,
  ): void {
    this.window!.take(cost, advanced)
    const reset = this.positionOf()
    // A position that cannot be read ends the call.
    if (this.closed) return
    if (reset !== undefined) this.hooks.reset?.(reset)
    const value = this.decode(bytes, start, end)
    if (value !== undefined) this.waiters.shift()!.resolve(value)
    else this.settleWaiters()
  }

  /** Undefined: the item was refused and the stream is over. */
  private decode(
    bytes: Uint8Array,
    start: number,
    end: number,
  ): IteratorYieldResult<T> | undefined {
    try {
      const value = this.hooks.decode(bytes, start, end)
      const charge = end - start + nodeCost * this.hooks.nodes()
      this.held += charge
      this.ledger!.hold(charge)
      return { done: false, value }
    } catch (error) {
      this.items.clear()
      const failure = this.hooks.refuse(error)
      // `refuse` may have closed the call, and with it this stream.
      this.closed = true
      this.failure = failure
      return undefined
    }
  }

  private settleWaiters(): void {
    for (let waiter = this.waiters.shift(); waiter !== undefined; waiter = this.waiters.shift()) {
      const { failure } = this
      this.failure = undefined
      if (failure === undefined) waiter.resolve(done)
      else waiter.reject(failure)
    }
  }
}
