// One call that this side makes: from its input to its one outcome.
//   in  -> input, options; frames of the callee; cancel, deadline, the end of the session
//   out -> a REQUEST and what follows it; one settlement, which says whether the call ran
//
//            transmit         last frame of REQUEST        END, ERROR
//   waiting ---------> sending ------------------> sent -----------------> closed
//      ^                  |  session over: begins anew                        ^
//      +------------------+            cancel, deadline, session over --------+

import { isRpcError, RpcError, type Code, type Processed } from '../base/errors.ts'
import { Timer } from '../base/timers.ts'
import { cancelFrame, creditFrame, errorFrame, type MessageFields } from '../frames/fields.ts'
import { Flag, FrameType } from '../frames/frame.ts'
import type { AbortSignalLike } from '../link/link.ts'
import type { Outlet, Readiness } from '../session/send-queue.ts'
import { installedAmbient } from './ambient.ts'
import type { CallStarter, SendingChannel, Startable } from './channel.ts'
import { ReceiveWindow, type WindowOwner } from './credit.ts'
import { failureOfUpload, isFinal, readFailure } from './failure.ts'
import { WholeMessage } from './fragment.ts'
import {
  copyMessage,
  encodeMessage,
  metaBytes,
  recodeMessage,
  requestFields,
  writeHead,
  type Message,
} from './message.ts'
import { readMetadata, writeMetadata } from './metadata.ts'
import { checkValue, readValue, type Method, type MethodCodecs } from './method.ts'
import { Pump } from './pump.ts'
import { StreamReader, type ReaderHooks, type Received } from './reader.ts'
import type { Runtime } from './runtime.ts'
import type { Metadata } from './types.ts'
import { fieldsBytes, overLimit, StreamWriter } from './writer.ts'

/** Options of a call, as the runtime needs them. */
export interface OutgoingOptions {
  readonly signal?: AbortSignalLike | undefined
  readonly timeoutMs?: number | undefined
  readonly metadata?: Metadata | undefined
  readonly cursor?: unknown
  readonly onReset?: ((reason: string) => void) | undefined
  readonly waitForReady?: boolean | undefined
}

export type OutgoingState = 'waiting' | 'sending' | 'sent' | 'closed'

/** A REQUEST above this goes through the writer, for a peer may not take it in one frame. */
const surelyOneFrame = 15 * 1024

export class OutgoingCall implements Outlet, Startable, WindowOwner {
  queued = false
  id = 0
  state: OutgoingState = 'waiting'
  failFast = false
  readonly method: Method
  /** The answer, for kinds with one answer. */
  readonly answer: Promise<unknown> | undefined
  /** The items, for kinds that stream to the caller. */
  readonly items: StreamReader<unknown> | undefined
  /** The upload, for kinds that stream to the callee. */
  readonly writer: StreamWriter | undefined
  private readonly runtime: Runtime
  private calls: SendingChannel | undefined
  private starter: CallStarter | undefined
  /** How often it has been sent. */
  private attempts = 0
  /** An earlier attempt may have run. */
  private doubt = false
  private retryTimer: Timer | undefined
  private message: Message | undefined
  /** Of the runtime's codecs, the one of its payloads, both ways. */
  private codec = 0
  private requestWriter: StreamWriter | undefined
  private pump: Pump<unknown> | undefined
  private whole: WholeMessage | undefined
  /** Where the answer, or its items, come in more than one frame. */
  private window: ReceiveWindow | undefined
  /** What an answer in one frame has cost. */
  private spent = 0
  private answered = false
  private options: OutgoingOptions = {}
  /** Of a resumable stream: where to go on from, once that is known. */
  private cursor: unknown
  private deadlineAt = Infinity
  private readonly timer = new Timer(() => this.expire())
  private leave: (() => void) | undefined
  private resolve: ((value: unknown) => void) | undefined
  private reject: ((error: RpcError) => void) | undefined
  private readonly onSettled: ((error: RpcError | undefined, value: unknown) => void) | undefined

  /** `onSettled` is for interceptors. */
  constructor(
    runtime: Runtime,
    method: Method,
    onSettled?: (error: RpcError | undefined, value: unknown) => void,
  ) {
    this.runtime = runtime
    this.method = method
    this.onSettled = onSettled
    if (method.streamsOut) this.items = this.newReader()
    else
      this.answer = new Promise((resolve, reject) => {
        this.resolve = resolve
        this.reject = reject
      })
    if (method.streamsIn) this.writer = new StreamWriter(() => undefined)
  }

  get settled(): boolean {
    return this.state === 'closed'
  }

  /**
   * Encodes and starts the call. Never throws: what is wrong with it fails the call. `uploads` are
   * the items of a client stream.
   */
  begin(
    starter: CallStarter,
    input: unknown,
    options: OutgoingOptions,
    uploads?: AsyncIterable<unknown>,
  ): void {
    if (this.settled) return
    this.starter = starter
    this.options = options
    this.cursor = options.cursor
    this.failFast = !(options.waitForReady ?? this.runtime.waitForReady ?? true)
    this.runtime.retry?.onCall()
    this.runtime.metrics?.count('calls_made', this.method.name)
    try {
      this.agreeOnTime(options)
      this.encode(input, options)
      if (uploads !== undefined) this.pump = new Pump(uploads)
    } catch (error) {
      return this.fail(asRpcError(error))
    }
    this.listen(options.signal)
    if (this.settled) return
    starter.start(this)
    if (this.pump !== undefined && !this.settled) this.upload(this.pump)
  }

  private agreeOnTime(options: OutgoingOptions): void {
    const { clock, limits } = this.runtime
    const { definition, streamsIn, streamsOut } = this.method
    const unary = !streamsIn && !streamsOut
    const timeoutMs =
      options.timeoutMs ?? definition.timeoutMs ?? (unary ? limits.callTimeoutMs : undefined)
    const scope = installedAmbient()?.current()
    const now = clock.now()
    this.deadlineAt = Math.min(
      timeoutMs === undefined ? Infinity : now + timeoutMs,
      scope?.deadlineAt ?? Infinity,
    )
    if (timeoutMs !== undefined && !(timeoutMs >= 0))
      throw local('invalid_argument', 'timeoutMs is negative, or not a number')
    if (this.deadlineAt <= now)
      throw local('deadline_exceeded', 'the deadline had passed before the call')
    if (scope?.cancelled === true) throw local('cancelled', 'the handler that calls was cancelled')
    if (scope !== undefined)
      this.leave = scope.whenCancelled(() => this.cancel('the handler that called was cancelled'))
    if (this.deadlineAt !== Infinity) this.runtime.timers.armAt(this.timer, this.deadlineAt)
  }

  private encode(input: unknown, options: OutgoingOptions): void {
    const { method, runtime } = this
    const { definition } = method
    const schema = method.streamsIn ? definition.params : definition.input
    if (runtime.validate !== undefined && (schema === undefined || input !== undefined))
      checkLocally(runtime, schema, input)
    const meta = writeMetadata(options.metadata, options.cursor, runtime.limits)
    this.codec = this.starter!.codecFor(method)
    this.message = encodeMessage(
      runtime.sink,
      method.streamsIn ? this.codecs.params : this.codecs.input,
      input,
      meta,
      requestFields,
    )
    const { start, end } = this.message
    if (this.writer !== undefined && end - start + metaBytes(meta) > surelyOneFrame) {
      this.requestWriter = this.writer
      this.requestThrough(this.writer)
    }
  }

  private listen(signal: AbortSignalLike | undefined): void {
    if (signal === undefined) return
    if (signal.aborted)
      return this.fail(local('cancelled', 'the signal had been aborted before the call'))
    const onAbort = (): void => this.cancel('the signal was aborted', signal.reason)
    signal.addEventListener('abort', onAbort)
    const leaveScope = this.leave
    this.leave = () => {
      signal.removeEventListener('abort', onAbort)
      leaveScope?.()
    }
  }

  // Sending

  transmit(calls: SendingChannel): void {
    if (this.settled) return
    if (calls.refOf(this.method, this.codec) === undefined)
      return this.fail(calls.refusalFor(this.method))
    this.fitTo(calls.codecFor(this.method))
    if (this.settled) return
    const message = this.message!
    const size = message.end - message.start
    if (size > calls.peer.maxMessage)
      return this.fail(overLimit('maxMessage', calls.peer.maxMessage))
    if (metaBytes(message.meta) > calls.peer.maxMeta)
      return this.fail(overLimit('maxMeta', calls.peer.maxMeta))
    this.calls = calls
    this.state = 'sending'
    this.attempts += 1
    if (this.items !== undefined) {
      this.window = new ReceiveWindow(calls.windowTerms, this)
      this.items.attach(this.window, calls.session.ledger)
    }
    if (
      this.requestWriter === undefined &&
      size + metaBytes(message.meta) <= calls.peer.maxFrame - fieldsBytes
    ) {
      if (calls.session.ready) this.sendFrame()
      else {
        calls.onTransmit(this)
        calls.session.schedule(this, 'single')
      }
      return
    }
    calls.onTransmit(this)
    if (this.requestWriter === undefined) {
      this.requestWriter = new StreamWriter(() => undefined)
      this.requestThrough(this.requestWriter)
    }
    this.requestWriter.attach(calls.writerTerms, 0, 0)
  }

  private get codecs(): MethodCodecs {
    return this.method.codecs[this.codec]!
  }

  /**
   * It was made when there was another codec, or none so far. What has been encoded follows; if it
   * cannot, the call goes by name, and the callee says what is wrong with its values.
   */
  private fitTo(codec: number): void {
    const { method, runtime, codecs: old } = this
    if (codec === this.codec) return
    const codecs = method.codecs[codec]!
    const first = method.streamsIn ? 'params' : 'input'
    const recode = (message: Message, request: boolean): Message => {
      const part = request ? first : 'input'
      return recodeMessage(runtime.sink, message, old[part], codecs[part])
    }
    try {
      const message = recode(this.message!, true)
      this.requestWriter?.recode(recode)
      if (this.writer !== this.requestWriter) this.writer?.recode(recode)
      this.message = message
      this.codec = codec
    } catch (error) {
      if (this.codec !== 0) this.fail(asRpcError(error))
    }
  }

  private requestThrough(writer: StreamWriter): void {
    writer.request(
      this.message!,
      {
        begin: () => (this.id = this.calls!.register(this)),
        method: () => this.calls!.refOf(this.method, this.codec)!,
        deadlineMs: () => this.msLeft(),
        deadlineAt: this.deadlineAt,
        sent: () => {
          this.state = 'sent'
        },
      },
      !this.method.streamsIn,
    )
  }

  /** Sends the REQUEST in one frame. */
  sendFrame(): Readiness {
    if (this.state !== 'sending') return 'nothing'
    const calls = this.calls!
    const message = this.message!
    this.id = calls.register(this)
    const start = writeHead(message, {
      type: FrameType.Request,
      flags: this.method.streamsIn ? 0 : Flag.End,
      id: this.id,
      method: calls.refOf(this.method, this.codec)!,
      deadlineMs: this.msLeft(),
    })
    this.state = 'sent'
    calls.session.writeFrame(message.buffer, start, message.end, this.deadlineAt)
    const cost = message.end - message.start + metaBytes(message.meta) + calls.writerTerms.frameCost
    this.writer?.attach(calls.writerTerms, this.id, cost)
    return 'nothing'
  }

  /** Whole milliseconds, for the callee must not get more time than is left. */
  private msLeft(): number | undefined {
    if (this.deadlineAt === Infinity) return undefined
    return Math.max(
      0,
      Math.min(2 ** 32 - 1, Math.floor(this.deadlineAt - this.runtime.clock.now())),
    )
  }

  /** Encodes an item of the upload. Throws RpcError. */
  encodeItem(item: unknown): Message {
    if (this.runtime.validate !== undefined)
      checkLocally(this.runtime, this.method.definition.input, item)
    return encodeMessage(this.runtime.sink, this.codecs.input, item)
  }

  private upload(pump: Pump<unknown>): void {
    const writer = this.writer!
    void pump.run(writer, (item) => this.encodeItem(item), {
      onDone: () => writer.end(),
      onError: (error) => this.failUpload(error),
    })
  }

  /** The upload cannot go on: the handler's input throws, and the call fails here. */
  failUpload(error: unknown): void {
    if (this.settled) return
    const failure = failureOfUpload(error, this.processed)
    if (this.id !== 0) {
      this.writer!.drop()
      this.calls?.session.writeControl(errorFrame(this.id, failure.fields, failure.body))
      this.sendCancel('cancelled')
    }
    this.settle(failure.error, undefined)
  }

  /**
   * Back to the start, for another session. False if that cannot be: part of an upload has gone, or
   * the REQUEST has and the peer has not refused it.
   */
  rewind(refused: boolean): boolean {
    if (this.settled) return false
    if (this.state === 'sent' && (!refused || this.writer !== undefined)) return false
    this.requestWriter?.rewind()
    this.calls?.session.unschedule(this)
    this.window?.close()
    this.window = undefined
    this.whole = undefined
    this.calls = undefined
    this.id = 0
    // It was not sent, as it turns out.
    this.attempts -= 1
    this.state = 'waiting'
    this.answered = false
    return true
  }

  // Receiving

  /** A DATA frame. Answers how it fits what was granted. */
  onData(buffer: Uint8Array, flags: number, fields: MessageFields, end: number): Received {
    if (this.items !== undefined) {
      const received = this.items.receive(buffer, flags, fields, end)
      if (received === 'ok') this.onItemFrame()
      if (received === 'ok' && (flags & Flag.End) !== 0 && !this.settled)
        this.settle(undefined, undefined)
      return received
    }
    return this.onAnswer(buffer, flags, fields, end)
  }

  private onItemFrame(): void {
    if (!this.items!.begun) return
    this.answered = true
    // It goes well: an end of the session later has nothing to do with an earlier one.
    if (this.cursor !== undefined) this.attempts = 1
  }

  private onAnswer(
    buffer: Uint8Array,
    flags: number,
    fields: MessageFields,
    end: number,
  ): Received {
    this.answered = true
    let bytes = buffer
    let from = fields.payloadStart
    let to = end
    if ((flags & (Flag.More | Flag.Cont)) !== 0) {
      this.window ??= new ReceiveWindow(this.calls!.windowTerms, this)
      this.whole ??= new WholeMessage(this.window, this.runtime.limits)
      const step = this.whole.receive(buffer, flags, fields, end)
      if (step === 'more') return 'ok'
      if (typeof step === 'string') return step
      bytes = step
      from = 0
      to = step.length
    } else this.spent = to - from
    if ((flags & Flag.End) === 0) {
      this.abandon(
        new RpcError('internal', 'the callee sent more than one answer', { processed: 'yes' }),
      )
      return 'ok'
    }
    const { method, runtime } = this
    try {
      this.settle(
        undefined,
        readValue(runtime, this.codecs.output, method.definition.output, bytes, from, to),
      )
    } catch (error) {
      this.settle(badOutput(error), undefined)
    }
    return 'ok'
  }

  onEnd(): void {
    if (this.items !== undefined) return this.settle(undefined, undefined)
    this.settle(
      new RpcError('internal', 'the callee ended without an answer', { processed: 'yes' }),
      undefined,
    )
  }

  /** Whether a message of the callee has begun and not ended. */
  get midMessage(): boolean {
    return this.items?.midMessage ?? this.whole?.begun ?? false
  }

  onError(buffer: Uint8Array, start: number, end: number): void {
    const error = readFailure(buffer, start, end, this.runtime.limits, this.method.definition)
    const { code, processed, retryAfterMs } = error
    if (code === 'resource_exhausted' && processed === 'no' && retryAfterMs !== undefined)
      this.calls?.pauseFor(retryAfterMs)
    if (!this.retry(error, true, isFinal(buffer, start, end))) this.settle(error, undefined)
  }

  /** The callee wants no more of the upload; its answer still comes. */
  onCancel(): void {
    this.writer?.drop()
    this.pump?.stop()
  }

  /** False: the credit is a violation. */
  onCredit(bytes: number): boolean {
    const writer = this.writer ?? this.requestWriter
    // A request in one frame needs no credit; what comes all the same is judged all the same.
    if (writer === undefined) return bytes > 0 && bytes < 2 ** 31
    return writer.grant(bytes)
  }

  grant(bytes: number): void {
    if (this.id !== 0) this.calls?.session.writeControl(creditFrame(this.id, bytes))
  }

  /** Whether somebody waits for the message that is coming in. */
  get waitedFor(): boolean {
    return this.items?.waitedFor ?? true
  }

  get readyBytes(): number {
    return this.message === undefined ? 0 : this.message.end - this.message.start
  }

  private newReader(): StreamReader<unknown> {
    const { method, runtime } = this
    return new StreamReader<unknown>(
      {
        decode: (bytes, start, end) =>
          readValue(runtime, this.codecs.output, method.definition.output, bytes, start, end),
        nodes: () => this.codecs.output.nodes,
        ...(method.definition.cursor === undefined ? {} : this.positionHooks()),
        cancel: () => this.cancel('the reader left'),
        refuse: (error) => {
          const failure = badOutput(error)
          this.abandon(failure)
          return failure
        },
      },
      runtime.limits,
    )
  }

  private positionHooks(): Pick<ReaderHooks<unknown>, 'position' | 'reset'> {
    return {
      position: (bytes) => {
        try {
          const { cursor, reset } = readMetadata(bytes, 0, bytes.length, this.runtime.limits)
          if (cursor !== undefined) this.cursor = cursor
          return reset
        } catch (error) {
          this.abandon(badOutput(error))
          return undefined
        }
      },
      reset: (reason) => {
        try {
          this.options.onReset?.(reason)
        } catch (error) {
          this.runtime.report('error', 'listener failed', { err: error })
        }
      },
    }
  }

  // Ending

  /** Ends the call from this side. */
  cancel(message: string, cause?: unknown): void {
    this.abandon(new RpcError('cancelled', message, { processed: this.processed, cause }))
  }

  private expire(): void {
    const error = new RpcError('deadline_exceeded', 'the deadline has passed', {
      processed: this.processed,
    })
    if (this.settled) return
    this.sendCancel('deadline_exceeded')
    // Items that have arrived are delivered before the error.
    this.settle(error, undefined)
  }

  /** Gives the call up: the callee is told, what waits here is dropped. */
  abandon(error: RpcError): void {
    if (this.settled) return
    this.sendCancel(error.code === 'flow_control' ? 'flow_control' : 'cancelled')
    this.items?.abandon(error)
    this.settle(error, undefined)
  }

  private sendCancel(code: Code): void {
    if (this.id !== 0) this.calls?.session.writeControl(cancelFrame(this.id, code))
  }

  fail(error: RpcError): void {
    this.settle(error, undefined)
  }

  /** The session is over. `acceptedId`: the highest call that the peer says it has accepted. */
  onSessionEnd(code: Code, reason: string, refused: boolean): void {
    const error = new RpcError(code, reason, { processed: refused ? 'no' : this.processed })
    if (!this.retry(error, false, false)) this.settle(error, undefined)
  }

  /**
   * Sends the call again, if that does no harm. An upload cannot; a stream that has begun only
   * where it is resumable: it is opened behind the last item that has come.
   */
  private retry(error: RpcError, answered: boolean, final: boolean): boolean {
    const { retry, timers, clock, metrics } = this.runtime
    if (retry === undefined || this.settled || this.writer !== undefined) return false
    const { attempts, method, starter, cursor } = this
    const resumable = cursor !== undefined && method.definition.cursor !== undefined
    if (this.answered && !resumable) return false
    const delayMs = retry.delayMs({
      error,
      answered,
      final,
      idempotent: method.definition.idempotent === true || resumable,
      resumable,
      attempts,
      msLeft: this.deadlineAt - clock.now(),
    })
    if (delayMs === undefined) return false
    metrics?.count('calls_retried', method.name)
    if (error.processed !== 'no') this.doubt = true
    this.calls?.closeOutgoing(this, this.unused)
    this.requestWriter?.drop()
    this.requestWriter = undefined
    this.message = copyMessage(this.message!, this.metaAgain())
    this.items?.detach()
    this.rewind(true)
    this.attempts = attempts
    this.retryTimer ??= new Timer(() => this.startAgain(starter))
    timers.arm(this.retryTimer, delayMs)
    starter?.pausing?.add(this)
    return true
  }

  private metaAgain(): Uint8Array | undefined {
    const { options, cursor, message } = this
    if (cursor === options.cursor) return message!.meta
    return writeMetadata(options.metadata, cursor, this.runtime.limits)
  }

  private startAgain(starter: CallStarter | undefined): void {
    starter?.pausing?.delete(this)
    if (this.items === undefined) starter?.start(this)
    else this.items.whenRead(() => starter?.start(this))
  }

  /** Bytes that the callee may still send. */
  private get unused(): number {
    if (this.id === 0) return 0
    return this.window?.unused ?? this.calls!.windowTerms.window - this.spent
  }

  /** Whether the handler has run, as far as this side can know. */
  get processed(): Processed {
    if (this.answered || this.items?.begun === true) return 'yes'
    return this.state === 'sent' || this.doubt ? 'unknown' : 'no'
  }

  private settle(failed: RpcError | undefined, value: unknown): void {
    if (this.settled) return
    const error = this.doubt && failed?.processed === 'no' ? inDoubt(failed) : failed
    this.state = 'closed'
    const { timers, metrics } = this.runtime
    timers.disarm(this.timer)
    if (this.retryTimer !== undefined) {
      timers.disarm(this.retryTimer)
      this.starter?.pausing?.delete(this)
    }
    if (error !== undefined) metrics?.count('calls_failed', error.code)
    this.leave?.()
    this.leave = undefined
    this.writer?.drop()
    this.requestWriter?.drop()
    this.pump?.stop()
    this.message = undefined
    if (this.items !== undefined) this.items.finish(error)
    else if (error === undefined) this.resolve!(value)
    else this.reject!(error)
    this.calls?.closeOutgoing(this, this.unused)
    if (this.items === undefined) this.window?.close()
    this.onSettled?.(error, value)
  }
}

/** This attempt did not run; an earlier one may have. */
function inDoubt({ code, message, retryAfterMs, cause }: RpcError): RpcError {
  return new RpcError(code, message, { processed: 'unknown', retryAfterMs, cause })
}

/** Fails before anything was written. */
export function local(code: Code, message: string): RpcError {
  return new RpcError(code, message, { processed: 'no' })
}

function checkLocally(runtime: Runtime, schema: object | undefined, value: unknown): void {
  try {
    checkValue(runtime, schema, value)
  } catch (error) {
    throw local('invalid_argument', isRpcError(error) ? error.message : 'invalid input')
  }
}

function asRpcError(error: unknown): RpcError {
  if (isRpcError(error)) return error
  return new RpcError('invalid_argument', 'the call cannot be made', {
    processed: 'no',
    cause: error,
  })
}

function badOutput(error: unknown): RpcError {
  const why = isRpcError(error) ? error.message : 'the answer does not decode'
  return new RpcError('internal', `the answer is not valid: ${why}`, { processed: 'yes' })
}
