// One incoming call: decode, check, interceptors, handler, answer.
//   in  -> a call with its first message; an event
//   out -> what the handler gives, as messages of the call; what it throws, as its failure
// Nothing here throws to the session: whatever a handler or a peer does ends in its own call.

import { isRpcError } from '../base/errors.ts'
import { installedAmbient } from '../calls/ambient.ts'
import type { Channel } from '../calls/channel.ts'
import { failure, failureOfThrow, internalFailure } from '../calls/failure.ts'
import type { Dispatcher, IncomingCall, IncomingEvent, ServedMethod } from '../calls/incoming.ts'
import { intercept, type AnyInterceptor } from '../calls/interceptor.ts'
import { encodeMessage, type Message } from '../calls/message.ts'
import { writeMetadata } from '../calls/metadata.ts'
import { checkValue, readValue } from '../calls/method.ts'
import { Pump } from '../calls/pump.ts'
import type { Runtime } from '../calls/runtime.ts'
import {
  CallContext,
  checkCursor,
  EventContext,
  PositionedItem,
  readInput,
  type Surroundings,
} from './context.ts'
import type { IncomingCall as IncomingView } from './types.ts'

export interface DispatchParts {
  readonly runtime: Runtime
  /** Methods by id, as agreed with this peer. */
  readonly byId: (id: number) => ServedMethod | undefined
  readonly byName: (name: string) => ServedMethod | undefined
  readonly surroundings: Surroundings
  readonly interceptors: readonly AnyInterceptor<IncomingView<never>>[]
}

export class Dispatch implements Dispatcher {
  /** For calls and events from now on. */
  surroundings: Surroundings
  private readonly parts: DispatchParts

  constructor(parts: DispatchParts) {
    this.parts = parts
    this.surroundings = parts.surroundings
  }

  byId(id: number): ServedMethod | undefined {
    return this.parts.byId(id)
  }

  byName(name: string): ServedMethod | undefined {
    return this.parts.byName(name)
  }

  start(call: IncomingCall, payload: Uint8Array, start: number, end: number): void {
    let input: unknown
    let context: CallContext
    let nodes: number
    try {
      input = readInput(call, payload, start, end)
      nodes = call.codec.nodes
      context = new CallContext(call, this.surroundings)
      checkCursor(call, context)
    } catch (error) {
      call.refuse(refusalOf(error))
      return call.calls.spendReset()
    }
    call.begin(end - start, nodes)
    const { interceptors } = this.parts
    if (interceptors.length > 0) return void this.runIntercepted(call, input, context)
    if (call.method.streamsOut)
      return void this.settleStream(call, this.stream(call, input, context))
    let result: unknown
    try {
      result = invoke(call, input, context)
    } catch (error) {
      this.fail(call, error)
      return call.settled()
    }
    if (isPromise(result)) void this.settleUnary(call, result)
    else {
      this.answer(call, result)
      call.settled()
    }
  }

  private async settleUnary(call: IncomingCall, result: PromiseLike<unknown>): Promise<void> {
    call.outlast()
    try {
      this.answer(call, await result)
    } catch (error) {
      this.fail(call, error)
    }
    call.settled()
  }

  private async settleStream(call: IncomingCall, over: Promise<void>): Promise<void> {
    call.outlast()
    try {
      await over
      call.endItems()
    } catch (error) {
      this.fail(call, error)
    }
    call.settled()
  }

  private runIntercepted(call: IncomingCall, input: unknown, context: CallContext): Promise<void> {
    const { method } = call
    // The view has what `IncomingCall` promises: the context's getters, and the method's name.
    const view = Object.defineProperties(context, {
      method: { value: method.name },
      kind: { value: method.definition.kind },
    }) as unknown as IncomingView<never>
    const outcome = intercept(this.parts.interceptors, view, async (changes) => {
      context.addMetadata(changes.metadata)
      return method.streamsOut ? this.stream(call, input, context) : invoke(call, input, context)
    })
    return method.streamsOut
      ? this.settleStream(call, outcome as Promise<void>)
      : this.settleUnary(call, outcome)
  }

  /** Sends what the handler yields. Settles when the handler has; rejects with what it throws. */
  private async stream(call: IncomingCall, input: unknown, context: CallContext): Promise<void> {
    const items = await invoke(call, input, context)
    if (!isAsyncIterable(items))
      throw new TypeError(`${call.method.name}: the handler gave no AsyncIterable`)
    const pump = new Pump(items)
    const leave = call.whenCancelled(() => pump.stop())
    if (call.cancelled) pump.stop()
    try {
      await new Promise<void>((onDone, onError) => {
        const encode = (item: unknown): Message => this.encodeItem(call, item)
        void inScope(call, () => pump.run(call.output, encode, { onDone, onError }))
      })
    } finally {
      leave()
    }
  }

  private encodeItem(call: IncomingCall, item: unknown): Message {
    const { runtime } = this.parts
    const { method } = call
    const positioned = item instanceof PositionedItem
    if (!positioned && method.definition.cursor !== undefined)
      throw new TypeError(`${method.name}: a resumable stream yields call.at(cursor, item)`)
    const meta = positioned
      ? writeMetadata(undefined, item.cursor, runtime.limits, item.reset)
      : undefined
    return this.encode(call, positioned ? item.item : item, meta)
  }

  /** Throws what makes the caller see `internal`: an output that is not valid is this side's fault. */
  private encode(call: IncomingCall, value: unknown, meta?: Uint8Array): Message {
    const { runtime } = this.parts
    const { method } = call
    try {
      if (runtime.checkOutput) checkValue(runtime, method.definition.output, value)
      return encodeMessage(runtime.sink, call.codecs.output, value, meta)
    } catch (error) {
      throw new TypeError(`${method.name}: invalid output: ${textOf(error)}`)
    }
  }

  private answer(call: IncomingCall, value: unknown): void {
    if (call.cancelled) return
    try {
      call.answer(this.encode(call, value))
    } catch (error) {
      this.fail(call, error)
    }
  }

  private fail(call: IncomingCall, thrown: unknown): void {
    // After a cancel most handlers throw the signal's reason: nobody waits for it.
    if (call.cancelled) return
    call.failItems(failureOfThrow(this.parts.runtime, call.method, thrown))
  }

  // Events

  notify(
    channel: Channel,
    event: IncomingEvent,
    payload: Uint8Array,
    start: number,
    end: number,
  ): Promise<void> | undefined {
    const { surroundings } = this
    const { runtime } = this.parts
    const { method, codecs } = event
    let result: unknown
    try {
      const input = readValue(runtime, codecs.input, method.definition.input, payload, start, end)
      event.nodes = codecs.input.nodes
      const context = new EventContext(channel, event, surroundings)
      result = this.invokeEvent(method, input, context)
    } catch (error) {
      this.reportEvent(method, error)
      return undefined
    }
    if (!isPromise(result)) return undefined
    return Promise.resolve(result).then(
      () => undefined,
      (error: unknown) => this.reportEvent(method, error),
    )
  }

  private invokeEvent(method: ServedMethod, input: unknown, context: EventContext): unknown {
    const { interceptors } = this.parts
    if (interceptors.length === 0) return method.handler(input, context)
    const view = Object.defineProperties(context, {
      method: { value: method.name },
      kind: { value: 'event' },
    }) as unknown as IncomingView<never>
    return intercept(interceptors, view, async (changes) => {
      context.addMetadata(changes.metadata)
      return method.handler(input, context)
    })
  }

  private reportEvent(method: ServedMethod, error: unknown): void {
    this.parts.runtime.metrics?.count('events_dropped', method.name)
    if (isRpcError(error) && error.code === 'invalid_argument')
      this.parts.runtime.report('debug', 'event dropped', {
        method: method.name,
        reason: error.message,
      })
    else internalFailure(this.parts.runtime, method.name, error)
  }
}

function invoke(call: IncomingCall, input: unknown, context: CallContext): unknown {
  return inScope(call, () => call.method.handler(input, context))
}

/** Calls made in `work` belong to `call`: they end with it. */
function inScope<T>(call: IncomingCall, work: () => T): T {
  const ambient = installedAmbient()
  return ambient === undefined ? work() : ambient.run(call, work)
}

function refusalOf(error: unknown): ReturnType<typeof failure> {
  if (isRpcError(error)) return failure(error.code, error.message, 'no')
  return failure('invalid_argument', 'the payload does not decode', 'no')
}

function textOf(error: unknown): string {
  return isRpcError(error) ? error.message : 'it does not encode'
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
