// Events: one-way messages with one window for all of them, in each direction.
//   in  -> events to send, CREDIT on stream id 0; NOTIFY frames
//   out -> NOTIFY frames, in the order they were made; events for the dispatcher, and their CREDIT
// An event that waits for credit is not sent yet and holds up nothing else.

import { ConnectionError, isRpcError, type RpcError } from '../base/errors.ts'
import { Queue } from '../base/queue.ts'
import { Timer } from '../base/timers.ts'
import { creditFrame } from '../frames/fields.ts'
import { FrameType } from '../frames/frame.ts'
import type { Outlet, Readiness } from '../session/send-queue.ts'
import { nodeCost } from '../session/ledger.ts'
import type { Applicant } from './admission.ts'
import type { CallStarter, SendingChannel, Startable } from './channel.ts'
import { ReceiveWindow, SendCredit, type WindowOwner } from './credit.ts'
import type { IncomingEvent, ServingChannel } from './incoming.ts'
import { encodeMessage, metaBytes, recodeMessage, writeHead, type Message } from './message.ts'
import { writeMetadata } from './metadata.ts'
import { checkValue, type Method } from './method.ts'
import { local, type OutgoingOptions } from './outgoing.ts'
import type { Runtime } from './runtime.ts'
import { fieldsBytes } from './writer.ts'

/** Fixed by the protocol, both ways: nobody states it. In bytes. */
export const eventWindow: number = 256 * 1024

/** What a NOTIFY has between header and META as a rule: a method id. */
const notifyFields = 2

/** One event that this side sends. Resolves when it has gone to the link. */
export class OutgoingEvent implements Startable {
  readonly sent: Promise<void>
  readonly method: Method
  message: Message | undefined
  settled = false
  failFast = false
  /** Of the runtime's codecs, the one that `message` is in. */
  codec = 0
  private readonly runtime: Runtime
  private resolve!: () => void
  private reject!: (error: RpcError) => void
  private leave: (() => void) | undefined
  private readonly timer = new Timer(() =>
    this.fail(local('deadline_exceeded', 'the deadline has passed')),
  )

  constructor(runtime: Runtime, method: Method) {
    this.runtime = runtime
    this.method = method
    this.sent = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  /** Encodes the event and hands it on. Never throws: what is wrong with it rejects `sent`. */
  begin(starter: CallStarter, input: unknown, options: OutgoingOptions): void {
    const { runtime, method } = this
    const { signal, timeoutMs, waitForReady = runtime.waitForReady ?? true } = options
    this.failFast = !waitForReady
    try {
      if (signal?.aborted === true)
        throw local('cancelled', 'the signal had been aborted before the call')
      checkEvent(runtime, method, input)
      const meta = writeMetadata(options.metadata, undefined, runtime.limits)
      this.codec = starter.codecFor(method)
      const codec = method.codecs[this.codec]!.input
      this.message = encodeMessage(runtime.sink, codec, input, meta, notifyFields)
    } catch (error) {
      return this.fail(isRpcError(error) ? error : local('invalid_argument', 'invalid input'))
    }
    if (timeoutMs !== undefined) runtime.timers.arm(this.timer, timeoutMs)
    if (signal !== undefined) {
      const onAbort = (): void => this.fail(local('cancelled', 'the signal was aborted'))
      signal.addEventListener('abort', onAbort)
      this.leave = () => signal.removeEventListener('abort', onAbort)
    }
    starter.start(this)
  }

  transmit(channel: SendingChannel): void {
    if (!this.settled) channel.sendEvent(this)
  }

  /** It goes to a session that may have another codec than there was when it was made. */
  fitTo(codec: number): void {
    const { method, runtime, message } = this
    if (codec === this.codec || message === undefined) return
    const from = method.codecs[this.codec]!.input
    try {
      this.message = recodeMessage(runtime.sink, message, from, method.codecs[codec]!.input)
      this.codec = codec
    } catch {
      // By name, as it is: the peer says what is wrong with it.
    }
  }

  fail(error: RpcError): void {
    if (this.settled) return
    this.finish()
    this.reject(error)
  }

  /** It has gone to the link. */
  done(): void {
    if (this.settled) return
    this.finish()
    this.resolve()
  }

  private finish(): void {
    this.settled = true
    this.message = undefined
    this.leave?.()
    this.runtime.timers.disarm(this.timer)
  }
}

function checkEvent(runtime: Runtime, method: Method, input: unknown): void {
  try {
    checkValue(runtime, method.definition.input, input)
  } catch (error) {
    throw local('invalid_argument', isRpcError(error) ? error.message : 'invalid input')
  }
}

/** The events of one session, both ways. */
export class Events implements Outlet, WindowOwner {
  queued = false
  /** Nobody waits for half an event: they come whole. */
  readonly waitedFor = false
  private readonly calls: ServingChannel
  private readonly credit = new SendCredit(eventWindow)
  private readonly window: ReceiveWindow
  private waiting = new Queue<OutgoingEvent>()

  constructor(calls: ServingChannel) {
    this.calls = calls
    const { budget, ledger } = calls.windowTerms
    // Not tuned: both sides know its size.
    this.window = new ReceiveWindow({ window: eventWindow, budget, ledger }, this)
  }

  /** Events that wait for credit or for the link. */
  get length(): number {
    return this.waiting.length
  }

  get readyBytes(): number {
    return this.nextCost()
  }

  // Sending

  send(event: OutgoingEvent): void {
    const { peer, session, runtime } = this.calls
    const { method } = event
    if (this.calls.refOf(method, event.codec) === undefined)
      return event.fail(this.calls.refusalFor(method))
    event.fitTo(this.calls.codecFor(method))
    const message = event.message!
    const size = message.end - message.start + metaBytes(message.meta)
    if (size > peer.maxFrame - fieldsBytes)
      return event.fail(
        local(
          'resource_exhausted',
          `an event fits in one frame (${peer.maxFrame - fieldsBytes} bytes)`,
        ),
      )
    const { maxQueuedCalls } = runtime.limits
    if (this.waiting.length >= maxQueuedCalls) {
      runtime.metrics?.count('limit_hits', 'maxQueuedCalls')
      const text = `more events wait than limits.maxQueuedCalls (${maxQueuedCalls})`
      return event.fail(local('resource_exhausted', text))
    }
    this.waiting.push(event)
    if (this.waiting.length === 1 && session.ready && this.nextCost() <= this.credit.available)
      this.sendFrame()
    else this.schedule()
  }

  sendFrame(): Readiness {
    const cost = this.nextCost()
    if (cost === 0 || !this.credit.covers(cost)) return 'nothing'
    const event = this.waiting.shift()!
    const message = event.message!
    this.credit.spend(cost)
    const method = this.calls.refOf(event.method, event.codec)!
    const start = writeHead(message, { type: FrameType.Notify, flags: 0, id: 0, method })
    this.calls.session.writeFrame(message.buffer, start, message.end)
    event.done()
    return this.readiness()
  }

  /** CREDIT on stream id 0. Throws `flow_control` for a violation. */
  onCredit(bytes: number): void {
    if (!this.credit.grant(bytes))
      throw new ConnectionError('flow_control', 'bad credit for events')
    this.schedule()
  }

  /** What was not sent, in order. */
  takeUnsent(): readonly OutgoingEvent[] {
    const unsent: OutgoingEvent[] = []
    for (let event = this.waiting.shift(); event !== undefined; event = this.waiting.shift())
      if (!event.settled) unsent.push(event)
    return unsent
  }

  private schedule(): void {
    this.calls.session.schedule(this, this.readiness())
  }

  private readiness(): Readiness {
    const cost = this.nextCost()
    return cost > 0 && this.credit.covers(cost) ? 'single' : 'nothing'
  }

  /** Cost of the first event that still wants to go; 0 if there is none. */
  private nextCost(): number {
    for (let event = this.waiting.peek(); event !== undefined; event = this.waiting.peek()) {
      const { message } = event
      if (!event.settled && message !== undefined)
        return (
          message.end - message.start + metaBytes(message.meta) + this.calls.writerTerms.frameCost
        )
      this.waiting.shift()
    }
    return 0
  }

  // Receiving

  /** Counts a NOTIFY. Throws `flow_control` beyond the window. */
  receive(cost: number): void {
    if (!this.window.receive(cost))
      throw new ConnectionError('flow_control', 'events beyond their window')
  }

  /** CREDIT is due. */
  grant(bytes: number): void {
    this.calls.session.writeControl(creditFrame(0, bytes))
  }

  /** Nobody handles it: only its credit goes back. */
  drop(cost: number, reason: string): void {
    this.calls.runtime.metrics?.count('events_dropped', 'unknown')
    this.calls.runtime.report('debug', 'event dropped', { reason })
    this.window.take(cost)
  }

  /** An event that wants its handler. Its credit goes back when that has settled. */
  arrived(event: IncomingEvent, cost: number): Applicant {
    const { calls, window } = this
    return {
      codec: event.codecs.input,
      gone: false,
      start: (payload, start, end) => {
        const running = calls.dispatcher.notify(calls, event, payload, start, end)
        if (running === undefined) return window.take(cost)
        const charge = nodeCost * event.nodes
        const { ledger } = calls.session
        ledger.hold(charge)
        void running.then(() => {
          ledger.hold(-charge)
          window.take(cost)
        })
      },
    }
  }
}
