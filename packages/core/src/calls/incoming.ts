// One call that this side serves: from its REQUEST to its answer.
//   in  -> frames of the caller; what the handler returns, yields or throws
//   out -> input for the handler; the answer; CANCEL where the rest of an upload is not wanted
// Which handler runs, and with what, is up to `handlers/`. A call is closed on the wire by END, ERROR
// or CANCEL; its slot is free when the handler has settled too and its answer has gone.

import { isRpcError, RpcError } from '../base/errors.ts'
import { Timer } from '../base/timers.ts'
import type { AnyContract } from '../contract/contract.ts'
import { cancelFrame, creditFrame, type Frame, type MessageFields } from '../frames/fields.ts'
import { Flag, FrameType } from '../frames/frame.ts'
import type { AbortSignalLike } from '../link/link.ts'
import { newAbortController, type AbortControllerLike } from './abort.ts'
import type { Channel } from './channel.ts'
import { ReceiveWindow } from './credit.ts'
import { failure, failureFrame, type WireFailure } from './failure.ts'
import { WholeMessage } from './fragment.ts'
import { metaBytes, writeHead, type Message } from './message.ts'
import { readValue, type Method } from './method.ts'
import { StreamReader, type Received } from './reader.ts'
import type { CallScope, Runtime } from './runtime.ts'
import { fieldsBytes, overLimit, StreamWriter } from './writer.ts'

/** A method with what serves it. */
export interface ServedMethod extends Method {
  readonly contract: AnyContract
  /** The user's function. */
  readonly handler: (input: unknown, call: unknown) => unknown
}

/** Who runs handlers: `handlers/dispatch.ts`. */
export interface Dispatcher {
  byId(id: number): ServedMethod | undefined
  byName(name: string): ServedMethod | undefined
  /** Decodes the first message of a call, checks it and runs the handler. Never throws. */
  start(call: IncomingCall, payload: Uint8Array, start: number, end: number): void
  /** The same for an event; settles when the handler has. Never rejects. */
  notify(channel: Channel, event: IncomingEvent): Promise<void> | undefined
}

/** A session, as calls of the peer see it. */
export interface ServingChannel extends Channel {
  readonly dispatcher: Dispatcher
  /** Over on the wire. `unused`: bytes that the peer may still send for the call. */
  closeIncoming(call: IncomingCall, unused: number): void
  /** The handler has settled and its answer has gone. */
  releaseSlot(call: IncomingCall): void
  /** A receiving direction is over: so many bytes may still come. */
  allowLate(unused: number): void
}

export interface IncomingEvent {
  readonly method: ServedMethod
  /** Bytes of the META map, borrowed like the payload. */
  readonly buffer: Uint8Array
  readonly metaStart: number
  readonly metaEnd: number
  readonly payloadStart: number
  readonly payloadEnd: number
}

export class IncomingCall implements CallScope {
  readonly id: number
  readonly method: ServedMethod
  readonly calls: ServingChannel
  deadlineAt: number = Infinity
  /** A copy of the META map of the REQUEST. */
  meta: Uint8Array | undefined
  /** Items of the caller, where it streams. */
  readonly input: StreamReader<unknown> | undefined
  cancelled = false
  /** The caller has sent END or ERROR: nothing may follow. */
  endedByCaller = false
  /** The handler has begun. */
  begun = false
  private readonly window: ReceiveWindow
  private request: WholeMessage | undefined
  private writer: StreamWriter | undefined
  private controller: AbortControllerLike | undefined
  private why: RpcError | undefined
  private listeners: Set<() => void> | undefined
  private inputOpen = true
  /** This side has told the caller to stop: what it may still send is late, and allowed for. */
  private inputWaived = false
  /** END, ERROR or CANCEL has been decided: what the handler still gives is dropped. */
  private decided = false
  private closed = false
  private running = false
  private answerGone = false
  private readonly timer = new Timer(() => this.expire())

  constructor(calls: ServingChannel, id: number, method: ServedMethod) {
    this.calls = calls
    this.id = id
    this.method = method
    this.window = new ReceiveWindow(calls.runtime.limits.window)
    if (method.streamsIn) this.input = this.newReader(calls.runtime)
  }

  // Receiving

  /** The REQUEST frame. */
  onRequest(buffer: Uint8Array, flags: number, fields: MessageFields, end: number): Received {
    const { runtime } = this.calls
    if (fields.deadlineMs >= 0) this.deadlineAt = runtime.clock.now() + fields.deadlineMs
    // `slice` of a Buffer of Node is a view: it would keep the whole chunk alive.
    if (fields.metaEnd > fields.metaStart)
      this.meta = new Uint8Array(buffer.subarray(fields.metaStart, fields.metaEnd))
    if ((flags & Flag.More) !== 0) {
      this.request = new WholeMessage(this.window, runtime.limits, (due) => this.grant(due))
      return this.onRequestFragment(buffer, flags, fields, end)
    }
    const cost =
      end - fields.payloadStart + fields.metaEnd - fields.metaStart + runtime.limits.frameCost
    this.window.receive(cost)
    this.window.take(cost)
    this.onRequestEnd(flags, buffer, fields.payloadStart, end)
    return 'ok'
  }

  onData(buffer: Uint8Array, flags: number, fields: MessageFields, end: number): Received {
    if (this.request !== undefined) return this.onRequestFragment(buffer, flags, fields, end)
    const received = this.input!.receive(buffer, flags, fields, end)
    if (received === 'ok' && (flags & Flag.End) !== 0) this.onEnd()
    return received
  }

  private onRequestFragment(
    buffer: Uint8Array,
    flags: number,
    fields: MessageFields,
    end: number,
  ): Received {
    const step = this.request!.receive(buffer, flags, fields, end)
    if (step === 'more') return 'ok'
    if (typeof step === 'string') return step
    this.request = undefined
    this.onRequestEnd(flags, step, 0, step.length)
    return 'ok'
  }

  private onRequestEnd(flags: number, payload: Uint8Array, start: number, end: number): void {
    const ended = (flags & Flag.End) !== 0
    if (ended) this.onEnd()
    if (!ended && !this.method.streamsIn)
      return this.refuse(
        failure('invalid_argument', `${this.method.name} takes one input: END is missing`, 'no'),
      )
    const left = this.deadlineAt - this.calls.runtime.clock.now()
    if (left <= 0) return this.refuse(failure('deadline_exceeded', 'the deadline has passed', 'no'))
    this.calls.dispatcher.start(this, payload, start, end)
  }

  /** The caller has sent everything. */
  onEnd(): void {
    this.inputOpen = false
    this.endedByCaller = true
    this.input?.finish()
  }

  get inputEnded(): boolean {
    return !this.inputOpen
  }

  /** Whether a message of the caller has begun and not ended. */
  get midMessage(): boolean {
    return this.request !== undefined || (this.input?.midMessage ?? false)
  }

  /** The caller gives its upload up: the handler's input throws, its answer still goes out. */
  onError(error: RpcError): void {
    this.inputOpen = false
    this.endedByCaller = true
    if (this.request !== undefined) return this.close()
    this.input?.finish(error)
  }

  /** The caller gives the call up: nobody waits for an answer. */
  onCancel(error: RpcError): void {
    this.decided = true
    this.abort(error)
    this.close()
  }

  /** False: the credit is a violation. */
  onCredit(bytes: number): boolean {
    if (this.writer === undefined) return bytes > 0 && bytes < 2 ** 31 && this.earlyCredit(bytes)
    return this.writer.grant(bytes)
  }

  /** Credit that comes before the answer begins adds to the window. */
  private earlyCredit(bytes: number): boolean {
    return this.method.streamsOut ? this.output.grant(bytes) : true
  }

  private grant(bytes: number): void {
    if (!this.closed) this.calls.session.writeStream(creditFrame(this.id, bytes))
  }

  private newReader(runtime: Runtime): StreamReader<unknown> {
    const { method } = this
    return new StreamReader<unknown>(
      {
        decode: (bytes, start, end) =>
          readValue(runtime, method.input, method.definition.input, bytes, start, end),
        grant: (bytes) => this.grant(bytes),
        cancel: () => this.stopUpload(),
        refuse: (error) => this.refuseItem(error),
      },
      this.window,
      runtime.limits,
    )
  }

  /** The handler has left its input: the caller stops sending. */
  private stopUpload(): void {
    if (!this.inputOpen || this.closed) return
    this.waiveInput()
    this.calls.session.writeStream(cancelFrame(this.id, 'cancelled'))
  }

  private waiveInput(): void {
    if (!this.inputOpen) return
    this.inputOpen = false
    this.inputWaived = true
    this.calls.allowLate(this.window.unused)
  }

  private refuseItem(error: unknown): RpcError {
    const message = isRpcError(error) ? error.message : 'the item does not decode'
    const refusal = new RpcError('invalid_argument', message, { processed: 'yes' })
    this.end(failure('invalid_argument', message, 'yes'))
    this.abort(refusal)
    return refusal
  }

  // The handler

  /** The handler begins. From here on the slot is held until it settles. */
  begin(): void {
    this.begun = true
    this.running = true
  }

  /** Lets the deadline cut the handler off; called if the handler has not settled at once. */
  watchDeadline(): void {
    const { clock, timers, limits } = this.calls.runtime
    const unary = !this.method.streamsIn && !this.method.streamsOut
    const longest = unary ? clock.now() + limits.maxCallMs : Infinity
    this.deadlineAt = Math.min(this.deadlineAt, longest)
    if (this.deadlineAt !== Infinity) timers.armAt(this.timer, this.deadlineAt)
  }

  /** The handler has returned, thrown, or ended its stream. */
  settled(): void {
    this.running = false
    this.calls.runtime.timers.disarm(this.timer)
    this.release()
  }

  /** Where a streaming handler's items go. */
  get output(): StreamWriter {
    return (this.writer ??= this.newWriter())
  }

  /** Milliseconds left, undefined without a deadline. */
  get msLeft(): number | undefined {
    if (this.deadlineAt === Infinity) return undefined
    return Math.max(0, this.deadlineAt - this.calls.runtime.clock.now())
  }

  /** Made when it is first read. */
  get signal(): AbortSignalLike {
    if (this.controller === undefined) {
      this.controller = newAbortController()
      if (this.why !== undefined) this.controller.abort(this.why)
    }
    return this.controller.signal
  }

  /** For calls made in the handler. */
  whenCancelled(listener: () => void): () => void {
    this.listeners ??= new Set()
    this.listeners.add(listener)
    return () => this.listeners?.delete(listener)
  }

  // Answering

  /** The one answer. Throws RpcError over the caller's `maxMessage`. */
  answer(message: Message): void {
    if (this.decided) return
    const { calls } = this
    const size = message.end - message.start
    if (size > calls.peer.maxMessage) throw overLimit('maxMessage', calls.peer.maxMessage)
    this.decided = true
    this.stopUpload()
    if (
      this.writer === undefined &&
      calls.session.ready &&
      size + metaBytes(message.meta) <= calls.peer.maxFrame - fieldsBytes
    ) {
      const start = writeHead(message, { type: FrameType.Data, flags: Flag.End, id: this.id })
      calls.session.writeFrame(message.buffer, start, message.end)
      return this.onAnswerGone()
    }
    void this.output.send(message, true)
  }

  /** The end of a stream, behind its items. */
  endItems(): void {
    if (this.decided) return
    this.decided = true
    this.stopUpload()
    this.output.end()
  }

  /** What the handler threw, behind its items. */
  failItems(wire: WireFailure): void {
    if (this.decided) return
    this.decided = true
    this.stopUpload()
    if (this.writer === undefined) this.sendFailure(wire)
    else this.writer.fail((id) => failureFrame(id, wire))
  }

  /** What the framework decides: it drops what waits of the call. */
  end(wire: WireFailure): void {
    if (this.decided) return
    this.decided = true
    this.writer?.drop()
    this.writer = undefined
    this.sendFailure(wire)
  }

  /** Refuses a call whose handler has not begun. */
  refuse(wire: WireFailure): void {
    this.waiveInput()
    this.end(wire)
    this.release()
  }

  private sendFailure(wire: WireFailure): void {
    const frame: Frame = failureFrame(this.id, wire)
    if (this.calls.session.ready) {
      this.calls.session.writeStream(frame)
      return this.onAnswerGone()
    }
    this.output.fail(() => frame)
  }

  private newWriter(): StreamWriter {
    const writer = new StreamWriter(() => this.onAnswerGone(), this.id)
    writer.attach(this.calls.writerTerms, this.id, 0)
    return writer
  }

  private onAnswerGone(): void {
    this.close()
  }

  // Ending

  private expire(): void {
    const error = new RpcError('deadline_exceeded', 'the deadline has passed', { processed: 'yes' })
    this.end(failure('deadline_exceeded', 'the deadline has passed', 'yes'))
    this.abort(error)
  }

  /** The session is over. */
  onSessionEnd(error: RpcError): void {
    this.decided = true
    this.closed = true
    this.abort(error)
    this.answerGone = true
  }

  /** Tells the handler, and every call made in it, that nobody waits any more. */
  abort(error: RpcError): void {
    if (this.cancelled) return
    this.cancelled = true
    this.why = error
    this.waiveInput()
    this.input?.abandon(error)
    this.writer?.drop()
    this.controller?.abort(error)
    for (const listener of this.listeners ?? []) listener()
    this.listeners = undefined
  }

  /** Over on the wire: what still comes for it is late. */
  private close(): void {
    if (this.closed) return
    this.closed = true
    this.answerGone = true
    this.input?.abandon()
    this.calls.closeIncoming(this, this.inputWaived ? 0 : this.window.unused)
    this.release()
  }

  /** Gives the slot back once the handler has settled and its answer has gone. */
  private release(): void {
    if (!this.running && this.answerGone) this.calls.releaseSlot(this)
  }
}
