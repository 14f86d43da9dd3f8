// One direction of a stream, sending: messages wait here for credit, and for their turn at the link.
//   in  -> encoded messages, an end or a failure; CREDIT of the peer
//   out -> frames, one whenever the session lets this outlet send
// Suspending whoever produces is the backpressure: `send` answers a promise as long as a message waits.

import { RpcError } from '../base/errors.ts'
import { Queue } from '../base/queue.ts'
import { endFrame, type Frame } from '../frames/fields.ts'
import { Flag, FrameType } from '../frames/frame.ts'
import type { PeerLimits } from '../session/handshake.ts'
import type { Outlet, Readiness } from '../session/send-queue.ts'
import type { Session } from '../session/session.ts'
import { SendCredit } from './credit.ts'
import {
  cutFragment,
  metaBytes,
  writeHead,
  type Head,
  type Message,
  type MethodRef,
} from './message.ts'

/** What a REQUEST has and DATA has not; asked for when its first frame goes out. */
export interface RequestHead {
  /** Gives the call its id. */
  begin(): number
  method(): MethodRef
  deadlineMs(): number | undefined
  /** When it passes, as the clock counts; Infinity without one. */
  readonly deadlineAt: number
  /** The last frame of the request has gone to the link. */
  sent(): void
}

interface Waiting {
  /** Absent for an END or ERROR alone. */
  readonly message: Message | undefined
  readonly end: boolean
  readonly request: RequestHead | undefined
  /** An ERROR, in order behind the items before it. */
  readonly failure: ((id: number) => Frame) | undefined
  /** Where the next fragment starts; the message's start as long as nothing has gone. */
  next: number
  readonly settle: (() => void) | undefined
}

/** Where and how far a writer may send; known once a call has a session. */
export interface WriterTerms {
  readonly session: Session
  readonly peer: PeerLimits
  /** Cost of a frame besides metadata and payload, in bytes. */
  readonly frameCost: number
  /** Most bytes that may wait, for producers that do not wait. */
  readonly maxWaiting: number
}

export class StreamWriter implements Outlet {
  queued = false
  /** False once END, ERROR or CANCEL has been decided: nothing more is taken. */
  open = true
  /** A message, or a part of one, has gone to the link. */
  begun = false
  private id: number
  private terms: WriterTerms | undefined
  private readonly credit = new SendCredit(0)
  private readonly waiting = new Queue<Waiting>()
  private waitingBytes = 0
  private readonly onLast: () => void

  /** `onLast` is called when the last frame of this direction has gone to the link. */
  constructor(onLast: () => void, id = 0) {
    this.onLast = onLast
    this.id = id
  }

  get readyBytes(): number {
    return Math.min(this.waitingBytes, this.credit.available)
  }

  /** Messages that wait. */
  get length(): number {
    return this.waiting.length
  }

  /** Bytes that the peer still takes. */
  get available(): number {
    return this.credit.available
  }

  /** The call has a session: sending may begin. `spent` is the cost of what has gone already. */
  attach(terms: WriterTerms, id: number, spent: number): void {
    this.terms = terms
    this.id = id
    this.credit.available = terms.peer.window - spent
    terms.session.ledger.wait(this.waitingBytes)
    this.schedule()
  }

  /** Sends the REQUEST through this writer, in fragments if need be. */
  request(message: Message, head: RequestHead, end: boolean): void {
    this.add({
      message,
      end,
      request: head,
      failure: undefined,
      next: message.start,
      settle: undefined,
    })
    if (end) this.open = false
  }

  /**
   * Sends one message. Undefined: it has gone to the link. A promise: it settles when that has
   * happened, or when the direction is over and the message was dropped.
   * Throws RpcError `resource_exhausted` over the peer's `maxMessage`, or when more than the sender
   * may keep waits already: its producer does not wait for `send`.
   */
  send(message: Message, end = false): Promise<void> | undefined {
    if (!this.open) return undefined
    const size = message.end - message.start
    const { terms } = this
    if (terms !== undefined && size > terms.peer.maxMessage)
      throw overLimit('maxMessage', terms.peer.maxMessage)
    if (end) this.open = false
    if (terms !== undefined && this.waiting.length === 0 && this.id !== 0) {
      const cost = this.costOf(message, size)
      if (this.fits(message, size) && this.credit.covers(cost) && terms.session.ready) {
        this.write(message, cost, FrameType.Data, end ? Flag.End : 0, undefined)
        if (end) this.onLast()
        return undefined
      }
    }
    if (this.waiting.length > 0 && this.waitingBytes + size > (terms?.maxWaiting ?? defaultWaiting))
      throw new RpcError('resource_exhausted', 'too much waits to be sent: await every send()', {
        processed: 'unknown',
      })
    return new Promise((settle) =>
      this.add({
        message,
        end,
        request: undefined,
        failure: undefined,
        next: message.start,
        settle,
      }),
    )
  }

  /**
   * Puts another message in the place of each that waits; nothing of them has gone. If `recode`
   * throws, all stay as they are. `request`: it is the one that opens the call.
   */
  recode(recode: (message: Message, request: boolean) => Message): void {
    const { waiting } = this
    const entries: Waiting[] = []
    for (let left = waiting.length; left > 0; left -= 1) {
      const entry = waiting.shift()!
      entries.push(entry)
      waiting.push(entry)
    }
    const messages = entries.map(({ message, request }) =>
      message === undefined ? undefined : recode(message, request !== undefined),
    )
    let grown = 0
    for (const [index, message] of messages.entries()) {
      const entry = waiting.shift()!
      if (message === undefined) waiting.push(entry)
      else {
        grown += message.end - message.start - (entry.message!.end - entry.message!.start)
        waiting.push({ ...entries[index]!, message, next: message.start })
      }
    }
    this.count(grown)
  }

  /** No more messages. Idempotent. */
  end(): void {
    if (!this.open) return
    this.open = false
    this.add({
      message: undefined,
      end: true,
      request: undefined,
      failure: undefined,
      next: 0,
      settle: undefined,
    })
  }

  /** Ends with an ERROR behind everything that waits. */
  fail(failure: (id: number) => Frame): void {
    if (!this.open) return
    this.open = false
    this.add({
      message: undefined,
      end: true,
      request: undefined,
      failure,
      next: 0,
      settle: undefined,
    })
  }

  /** Ends at once; what waits is dropped, and whoever waits goes on. */
  drop(): void {
    this.open = false
    while (this.waiting.length > 0) this.waiting.shift()!.settle?.()
    this.count(-this.waitingBytes)
  }

  private count(bytes: number): void {
    this.waitingBytes += bytes
    this.terms?.session.ledger.wait(bytes)
  }

  /** Forgets a request that has gone in part, for it begins anew on another session. */
  rewind(): void {
    this.terms?.session.unschedule(this)
    this.terms?.session.ledger.wait(-this.waitingBytes)
    this.terms = undefined
    this.id = 0
    const first = this.waiting.peek()
    if (first?.message !== undefined) first.next = first.message.start
  }

  /** False: the credit is a violation. */
  grant(bytes: number): boolean {
    if (!this.credit.grant(bytes)) return false
    this.schedule()
    return true
  }

  sendFrame(): Readiness {
    const first = this.waiting.peek()
    if (first === undefined) return 'nothing'
    const { message } = first
    if (message === undefined) this.sendLast(first)
    else {
      const left = message.end - first.next
      const begun = first.next !== message.start
      if (!begun && this.fits(message, left)) {
        const cost = this.costOf(message, left)
        if (!this.credit.covers(cost)) return 'nothing'
        this.sendWhole(first, message, cost)
      } else if (!this.sendFragment(first, message)) return 'nothing'
    }
    return this.readiness()
  }

  private sendLast(first: Waiting): void {
    this.waiting.shift()
    this.terms?.session.writeControl(
      first.failure === undefined ? endFrame(this.id) : first.failure(this.id),
    )
    this.onLast()
  }

  private sendWhole(first: Waiting, message: Message, cost: number): void {
    const { request } = first
    if (request !== undefined) this.id = request.begin()
    const type = request === undefined ? FrameType.Data : FrameType.Request
    this.write(message, cost, type, first.end ? Flag.End : 0, request)
    this.finish(first)
  }

  private write(
    message: Message,
    cost: number,
    type: number,
    flags: number,
    request: RequestHead | undefined,
  ): void {
    const head: Head = {
      type,
      flags,
      id: this.id,
      method: request?.method(),
      deadlineMs: request?.deadlineMs(),
    }
    this.begun = true
    this.credit.spend(cost)
    const start = writeHead(message, head)
    this.terms!.session.writeFrame(message.buffer, start, message.end, request?.deadlineAt)
  }

  /** Sends the next fragment. False: there is no credit for it. */
  private sendFragment(first: Waiting, message: Message): boolean {
    const begun = first.next !== message.start
    const room = this.fragmentBytes() - (begun ? 0 : metaBytes(message.meta))
    const to = Math.min(message.end, first.next + room)
    const cost = to - first.next + this.terms!.frameCost + (begun ? 0 : metaBytes(message.meta))
    if (!this.credit.covers(cost)) return false
    if (!begun && first.request !== undefined) this.id = first.request.begin()
    const last = to === message.end
    const head: Head = {
      type: !begun && first.request !== undefined ? FrameType.Request : FrameType.Data,
      flags: (begun ? Flag.Cont : 0) | (last ? 0 : Flag.More) | (last && first.end ? Flag.End : 0),
      id: this.id,
      method: begun ? undefined : first.request?.method(),
      deadlineMs: begun ? undefined : first.request?.deadlineMs(),
    }
    const { buffer, start } = cutFragment(message, first.next, to, head)
    this.begun = true
    this.credit.spend(cost)
    const deadlineAt = begun ? undefined : first.request?.deadlineAt
    this.terms!.session.writeFrame(buffer, start, buffer.length, deadlineAt)
    first.next = to
    if (last) this.finish(first)
    return true
  }

  private finish(first: Waiting): void {
    this.waiting.shift()
    const { message } = first
    if (message !== undefined) this.count(message.start - message.end)
    first.settle?.()
    first.request?.sent()
    if (first.end) this.onLast()
  }

  private add(entry: Waiting): void {
    if (entry.message !== undefined) this.count(entry.message.end - entry.message.start)
    this.waiting.push(entry)
    this.schedule()
  }

  private schedule(): void {
    this.terms?.session.schedule(this, this.readiness())
  }

  /** What the first of the queue could send now. */
  private readiness(): Readiness {
    const first = this.waiting.peek()
    if (first === undefined || this.terms === undefined) return 'nothing'
    // Without an id only the request itself can go.
    if (this.id === 0 && first.request === undefined) return 'nothing'
    const { message } = first
    if (message === undefined) return 'single'
    const begun = first.next !== message.start
    const left = message.end - first.next
    if (!begun && this.fits(message, left))
      return this.credit.covers(this.costOf(message, left)) ? 'single' : 'nothing'
    const meta = begun ? 0 : metaBytes(message.meta)
    const size = Math.min(left + meta, this.fragmentBytes())
    return this.credit.covers(size + this.terms.frameCost) ? 'fragment' : 'nothing'
  }

  /** A single frame carries as much as a fragment: the rest of `maxFrame` is for its fields. */
  private fits(message: Message, size: number): boolean {
    return size + metaBytes(message.meta) <= this.fragmentBytes()
  }

  private fragmentBytes(): number {
    return this.terms!.peer.maxFrame - fieldsBytes
  }

  private costOf(message: Message, size: number): number {
    return size + metaBytes(message.meta) + this.terms!.frameCost
  }
}

/** What of `maxFrame` is left to header and fields. */
export const fieldsBytes = 1024

/** Before a session is known: what `maxUnsent` is by default. */
const defaultWaiting = 4 * 1024 * 1024

export function overLimit(name: string, limit: number): RpcError {
  return new RpcError('resource_exhausted', `over ${name} of the peer (${limit})`, {
    processed: 'no',
  })
}
