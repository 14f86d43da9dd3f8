// One call that this side serves: from its REQUEST to its answer.
//   in  -> frames of the caller; what the handler returns, yields or throws
//   out -> input for the handler; the answer; CANCEL where the rest of an upload is not wanted
// Which handler runs, and with what, is up to `handlers/`. A call is closed on the wire by END, ERROR
// or CANCEL; its slot is free when the handler has settled too and its answer has gone.

import { isRpcError, RpcError } from '../base/errors.ts'
import type { RosterMember } from '../base/roster.ts'
import { Timer } from '../base/timers.ts'
import type { SchemaCodec } from '../codec/codec.ts'
import type { AnyContract } from '../contract/contract.ts'
import {
  cancelFrame,
  creditFrame,
  ErrorFlag,
  type Frame,
  type MessageFields,
} from '../frames/fields.ts'
import { Flag, FrameType } from '../frames/frame.ts'
import type { AbortSignalLike } from '../link/link.ts'
import { nodeCost } from '../session/ledger.ts'
import type { Applicant } from './admission.ts'
import { Cancellation } from './cancellation.ts'
import type { Channel } from './channel.ts'
import { ReceiveWindow, type WindowOwner } from './credit.ts'
import { failure, failureFrame, type WireFailure } from './failure.ts'
import { WholeMessage } from './fragment.ts'
import { metaBytes, writeHead, type Message } from './message.ts'
import { readValue, type Method, type MethodCodecs } from './method.ts'
import { StreamReader, type Received } from './reader.ts'
import type { CallScope } from './runtime.ts'
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
  /** The same for an event; settles when the handler has, undefined if it has. Never rejects. */
  notify(
    channel: Channel,
    event: IncomingEvent,
    payload: Uint8Array,
    start: number,
    end: number,
  ): Promise<void> | undefined
}

/** A session, as calls of the peer see it. */
export interface ServingChannel extends Channel {
  readonly dispatcher: Dispatcher
  /** Whether no first message waits: one that is coming in is then waited for. */
  readonly dispatchIdle: boolean
  /** Starts a call now, or when there is room for it. The payload is borrowed. */
  admit(applicant: Applicant, payload: Uint8Array, start: number, end: number): void
  /** The peer has spoiled a call. */
  spendReset(): void
  /** Over on the wire. `unused`: bytes that the peer may still send for the call. */
  closeIncoming(call: IncomingCall, unused: number): void
  /** The handler has settled and its answer has gone. */
  releaseSlot(call: IncomingCall): void
  /** A receiving direction is over: so many bytes may still come. */
  allowLate(unused: number): void
}

export interface IncomingEvent {
  readonly method: ServedMethod
  readonly codecs: MethodCodecs
  /** A copy of the META map, empty without one. */
  readonly meta: Uint8Array
  /** What the dispatcher has decoded, for whoever charges it. */
  nodes: number
}

/** After how many milliseconds a caller may try again what found no room here. */
export const tryAgainMs = 1_000

export class IncomingCall implements CallScope, Applicant, WindowOwner, RosterMember {
  rosterAt = -1
  readonly id: number
  readonly method: ServedMethod
  /** Of its payloads, both ways. */
  readonly codecs: MethodCodecs
  readonly calls: ServingChannel
  deadlineAt: number = Infinity
  /** A copy of the META map of the REQUEST. */
  meta: Uint8Array | undefined
  /** Items of the caller, where it streams. */
  readonly input: StreamReader<unknown> | undefined
  /** The caller has sent END or ERROR: nothing may follow. */
  endedByCaller = false
  /** The handler has begun. */
  begun = false
  /** It was answered, with a value or with what the handler threw. */
  endedWell = false
  /** What its first message is charged while the handler runs, in bytes. */
  private charge = 0
  private holding = false
  private startedAt = 0
  /** Where its input arrives in more than one frame. */
  private window: ReceiveWindow | undefined
  /** What its REQUEST has cost, where that came in one frame. */
  private spent = 0
  private request: WholeMessage | undefined
  private writer: StreamWriter | undefined
  /** Made when first needed, as the timer is: most calls end in the turn in which they began. */
  private cancellation: Cancellation | undefined
  private inputOpen = true
  /** This side has told the caller to stop: what it may still send is late, and allowed for. */
  private inputWaived = false
  /** END, ERROR or CANCEL has been decided: what the handler still gives is dropped. */
  private decided = false
  private closed = false
  private running = false
  private answerGone = false
  /** Its time is this side's, not its caller's. */
  private capped = false
  private timer: Timer | undefined

  constructor(calls: ServingChannel, id: number, method: ServedMethod, codecs: MethodCodecs) {
    this.calls = calls
    this.id = id
    this.method = method
    this.codecs = codecs
    if (method.streamsIn) {
      this.window = new ReceiveWindow(calls.windowTerms, this)
      this.input = this.newReader()
      this.input.attach(this.window, calls.session.ledger)
    }
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
      this.window ??= new ReceiveWindow(this.calls.windowTerms, this)
      this.request = new WholeMessage(this.window, runtime.limits)
      return this.onRequestFragment(buffer, flags, fields, end)
    }
    const { window } = this
    const cost =
      end - fields.payloadStart + fields.metaEnd - fields.metaStart + runtime.limits.frameCost
    if (window === undefined) this.spent = cost
    else {
      window.receive(cost)
      window.take(cost)
    }
    this.onRequestEnd(flags, buffer, fields.payloadStart, end)
    return 'ok'
  }

  /** Bytes that the caller may still send. */
  private get unused(): number {
    return this.window?.unused ?? this.calls.windowTerms.window - this.spent
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
    this.calls.admit(this, payload, start, end)
  }

  // As one that waits to begin

  get codec(): SchemaCodec {
    return this.method.streamsIn ? this.codecs.params : this.codecs.input
  }

  get gone(): boolean {
    return this.closed
  }

  start(payload: Uint8Array, start: number, end: number): void {
    this.startedAt = this.calls.runtime.clock.now()
    if (this.deadlineAt <= this.startedAt)
      return this.refuse(failure('deadline_exceeded', 'the deadline has passed', 'no'))
    this.calls.dispatcher.start(this, payload, start, end)
  }

  /** Refuses a call whose handler has not begun. */
  refuse(
    wire: WireFailure = failure(
      'resource_exhausted',
      'over limits.receiveBudget for limits.admissionMs',
      'no',
      tryAgainMs,
    ),
  ): void {
    this.waiveInput()
    this.end(wire)
    this.release()
  }

  // Receiving more

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

  grant(bytes: number): void {
    if (!this.closed) this.calls.session.writeControl(creditFrame(this.id, bytes))
  }

  /** Whether somebody waits for the message that is coming in. */
  get waitedFor(): boolean {
    return this.request === undefined ? this.input!.waitedFor : this.calls.dispatchIdle
  }

  private newReader(): StreamReader<unknown> {
    const { method, codecs, calls } = this
    const { runtime } = calls
    return new StreamReader<unknown>(
      {
        decode: (bytes, start, end) =>
          readValue(runtime, codecs.input, method.definition.input, bytes, start, end),
        nodes: () => codecs.input.nodes,
        cancel: () => this.stopUpload(),
        refuse: (error) => this.refuseItem(error),
      },
      runtime.limits,
    )
  }

  /** The handler has left its input: the caller stops sending. */
  private stopUpload(): void {
    if (!this.inputOpen || this.closed) return
    this.waiveInput()
    this.calls.session.writeControl(cancelFrame(this.id, 'cancelled'))
  }

  private waiveInput(): void {
    if (!this.inputOpen) return
    this.inputOpen = false
    this.inputWaived = true
    this.calls.allowLate(this.unused)
  }

  private refuseItem(error: unknown): RpcError {
    const message = isRpcError(error) ? error.message : 'the item does not decode'
    const refusal = new RpcError('invalid_argument', message, { processed: 'yes' })
    this.end(failure('invalid_argument', message, 'yes'))
    this.abort(refusal)
    this.calls.spendReset()
    return refusal
  }

  // The handler

  /** The handler begins, with so many nodes of so many bytes. The slot is held until it settles. */
  begin(bytes: number, nodes: number): void {
    this.charge = bytes + nodeCost * nodes
    this.begun = true
    this.running = true
  }

  /** The handler goes on after this turn: it is charged, and the deadline may cut it off. */
  outlast(): void {
    this.holding = true
    this.calls.session.ledger.hold(this.charge)
    this.limitTime()
  }

  private limitTime(): void {
    const { clock, timers, limits } = this.calls.runtime
    const unary = !this.method.streamsIn && !this.method.streamsOut
    const longest = unary ? clock.now() + limits.maxCallMs : Infinity
    this.capped ||= longest < this.deadlineAt
    this.deadlineAt = Math.min(this.deadlineAt, longest)
    if (this.deadlineAt === Infinity || this.closed) return
    this.timer ??= new Timer(() => this.expire())
    timers.armAt(this.timer, this.deadlineAt)
  }

  /** The handler has returned, thrown, or ended its stream. */
  settled(): void {
    this.running = false
    const { metrics, clock } = this.calls.runtime
    this.stopTimer()
    if (this.holding) this.calls.session.ledger.hold(-this.charge)
    this.holding = false
    metrics?.observe('call_ms', clock.now() - this.startedAt, this.method.name)
    this.release()
    // The answer may wait for credit that does not come: no slot is held for ever.
    if (!this.answerGone) this.limitTime()
  }

  private stopTimer(): void {
    if (this.timer !== undefined) this.calls.runtime.timers.disarm(this.timer)
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

  get signal(): AbortSignalLike {
    return (this.cancellation ??= new Cancellation()).signal
  }

  get cancelled(): boolean {
    return this.cancellation?.cancelled ?? false
  }

  /** For calls made in the handler. */
  whenCancelled(listener: () => void): () => void {
    return (this.cancellation ??= new Cancellation()).subscribe(listener)
  }

  // Answering

  /** The one answer. Throws RpcError over the caller's `maxMessage`. */
  answer(message: Message): void {
    if (this.decided) return
    const { calls } = this
    const size = message.end - message.start
    if (size > calls.peer.maxMessage) throw overLimit('maxMessage', calls.peer.maxMessage)
    this.decided = this.endedWell = true
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
    this.decided = this.endedWell = true
    this.stopUpload()
    this.output.end()
  }

  /** What the handler threw, behind its items. */
  failItems(wire: WireFailure): void {
    if (this.decided) return
    this.decided = this.endedWell = true
    this.stopUpload()
    if (this.writer === undefined) this.sendFailure(wire)
    else this.writer.fail((id) => failureFrame(id, wire))
  }

  /** What the framework decides: it drops what waits of the call. */
  end(wire: WireFailure): void {
    if (this.decided) return
    this.decided = true
    // Before the call closes: the handler must not take a part of its input for all of it.
    this.waiveInput()
    this.input?.abandon(new RpcError(wire.code, 'the call was given up', { processed: 'yes' }))
    this.writer?.drop()
    this.writer = undefined
    // What has not begun never will.
    this.sendFailure(this.begun ? wire : { ...wire, flags: wire.flags | ErrorFlag.NotProcessed })
  }

  private sendFailure(wire: WireFailure): void {
    this.calls.runtime.metrics?.count('calls_refused', wire.code)
    const frame: Frame = failureFrame(this.id, wire)
    if (this.calls.session.ready) {
      this.calls.session.writeControl(frame)
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
    if (this.capped) this.calls.runtime.metrics?.count('limit_hits', 'maxCallMs')
    const text = this.capped ? 'over limits.maxCallMs' : 'the deadline has passed'
    this.giveUpAnswer('deadline_exceeded', text)
  }

  /** Something of its answer has gone to the caller. */
  get answering(): boolean {
    return this.writer?.begun ?? false
  }

  /** Credit that is left while something waits for more of it; undefined if nothing does. */
  get stuckCredit(): number | undefined {
    const { writer } = this
    if (writer === undefined || writer.length === 0 || !this.calls.session.ready) return undefined
    return writer.available
  }

  /** Ends the call whatever is on its way, also an answer that waits for credit. */
  giveUpAnswer(code: 'deadline_exceeded' | 'resource_exhausted', text: string): void {
    if (!this.answerGone) this.decided = false
    this.end(failure(code, text, 'yes'))
    this.abort(new RpcError(code, text, { processed: 'yes' }))
  }

  /** The session is over. */
  onSessionEnd(error: RpcError): void {
    this.decided = true
    this.closed = true
    // A handler that never settles must not keep the process alive.
    this.stopTimer()
    this.window?.close()
    this.abort(error)
    this.answerGone = true
  }

  /** Tells the handler, and every call made in it, that nobody waits any more. */
  abort(error: RpcError): void {
    if (this.cancelled) return
    this.waiveInput()
    this.input?.abandon(error)
    this.writer?.drop()
    this.cancellation ??= new Cancellation()
    this.cancellation.cancel(error)
  }

  /** Over on the wire: what still comes for it is late. */
  private close(): void {
    if (this.closed) return
    this.closed = true
    this.answerGone = true
    this.stopTimer()
    this.input?.abandon()
    this.calls.closeIncoming(this, this.inputWaived ? 0 : this.unused)
    this.window?.close()
    this.release()
  }

  /** Gives the slot back once the handler has settled and its answer has gone. */
  private release(): void {
    if (!this.running && this.answerGone) this.calls.releaseSlot(this)
  }
}
