// The `call` object that a handler sees.
//   in  -> the incoming call, what this side knows of the peer
//   out -> getters: whatever is not read costs nothing

import { RpcError } from '../base/errors.ts'
import { newAbortController, type AbortControllerLike } from '../calls/abort.ts'
import type { Channel } from '../calls/channel.ts'
import type { IncomingCall, IncomingEvent, ServedMethod } from '../calls/incoming.ts'
import { noMetadata, readMetadata, type ReadMetadata } from '../calls/metadata.ts'
import { readValue } from '../calls/method.ts'
import type { Metadata } from '../calls/types.ts'
import type { AbortSignalLike } from '../link/link.ts'
import type { Connection, ErrorTerms, Positioned, PositionTerms } from './types.ts'

/** What a side gives to the handlers of one connection. */
export interface Surroundings {
  readonly context: unknown
  /** Absent on a client: its handlers know one server only. */
  readonly connection: Connection | undefined
}

/** An item with its cursor, made by `call.at` and by nothing else. */
export class PositionedItem implements Positioned<unknown, unknown> {
  readonly '~positioned' = true
  readonly 'cursor': unknown
  readonly 'item': unknown
  readonly 'reset': string | undefined

  'constructor'(cursor: unknown, item: unknown, reset: string | undefined) {
    this.cursor = cursor
    this.item = item
    this.reset = reset
  }
}

/** What calls and events have in common. */
abstract class AnyContext {
  /** Not `method`: interceptors see its name under that. */
  protected readonly served: ServedMethod
  private readonly surroundings: Surroundings
  private changed: Metadata | undefined

  constructor(method: ServedMethod, surroundings: Surroundings) {
    this.served = method
    this.surroundings = surroundings
  }

  abstract get signal(): AbortSignalLike
  abstract get deadline(): number | undefined
  protected abstract readonly sent: ReadMetadata

  get context(): unknown {
    return this.surroundings.context
  }

  get connection(): Connection | undefined {
    return this.surroundings.connection
  }

  get client(): unknown {
    return this.surroundings.connection?.client(this.served.contract)
  }

  get metadata(): Metadata {
    return this.changed ?? this.sent.user
  }

  /** What interceptors have added. */
  addMetadata(metadata: Metadata | undefined): void {
    if (metadata !== undefined) this.changed = { ...this.metadata, ...metadata }
  }
}

export class CallContext extends AnyContext {
  protected readonly sent: ReadMetadata
  private readonly call: IncomingCall

  /** Throws RpcError for metadata that does not decode. */
  constructor(call: IncomingCall, surroundings: Surroundings) {
    super(call.method, surroundings)
    this.call = call
    const { meta } = call
    this.sent =
      meta === undefined ? nothing : readMetadata(meta, 0, meta.length, call.calls.runtime.limits)
  }

  get signal(): AbortSignalLike {
    return this.call.signal
  }

  get deadline(): number | undefined {
    return this.call.msLeft
  }

  get errors(): object {
    return errorsOf(this.served)
  }

  get input(): unknown {
    return this.call.input
  }

  get cursor(): unknown {
    return this.sent.cursor
  }

  at(cursor: unknown, item: unknown, terms?: PositionTerms): PositionedItem {
    return new PositionedItem(cursor, item, terms?.reset)
  }
}

export class EventContext extends AnyContext {
  protected readonly sent: ReadMetadata
  readonly deadline = undefined
  private readonly channel: Channel
  private controller: AbortControllerLike | undefined

  /** Throws RpcError for metadata that does not decode. */
  constructor(channel: Channel, event: IncomingEvent, surroundings: Surroundings) {
    super(event.method, surroundings)
    this.channel = channel
    const { meta } = event
    this.sent =
      meta.length === 0 ? nothing : readMetadata(meta, 0, meta.length, channel.runtime.limits)
  }

  get signal(): AbortSignalLike {
    if (this.controller === undefined) {
      const controller = (this.controller = newAbortController())
      this.channel.whenEnded(() => controller.abort())
    }
    return this.controller.signal
  }
}

const nothing: ReadMetadata = { user: noMetadata, cursor: undefined, reset: undefined }

const errorsByDefinition = new WeakMap<object, object>()

/** `call.errors`: a constructor for each declared error. */
function errorsOf({ definition }: ServedMethod): object {
  let errors = errorsByDefinition.get(definition)
  if (errors === undefined) {
    const made: Record<string, (data: unknown, terms?: ErrorTerms) => RpcError> = {}
    for (const tag of Object.keys(definition.errors ?? {}))
      made[tag] = (data, { message = tag, retryAfterMs, cause } = {}) =>
        new RpcError('failed_precondition', message, {
          tag,
          data,
          retryAfterMs,
          cause,
          processed: 'yes',
        })
    errors = Object.freeze(made)
    errorsByDefinition.set(definition, errors)
  }
  return errors
}

/** The cursor that a caller sent, checked like an input. Throws RpcError `invalid_argument`. */
export function checkCursor(call: IncomingCall, context: CallContext): void {
  const { definition } = call.method
  if (context.cursor === undefined || definition.cursor === undefined) return
  const { runtime } = call.calls
  const wrong = runtime.validate?.(definition.cursor).check(context.cursor)
  if (wrong !== undefined) throw new RpcError('invalid_argument', `cursor: ${wrong}`)
}

/** Decodes and checks the first message of a call. Throws RpcError `invalid_argument`. */
export function readInput(
  call: IncomingCall,
  payload: Uint8Array,
  start: number,
  end: number,
): unknown {
  const { method } = call
  const { params, input } = method.definition
  return readValue(
    call.calls.runtime,
    call.codec,
    method.streamsIn ? params : input,
    payload,
    start,
    end,
  )
}
