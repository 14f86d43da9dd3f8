// The five kinds of method, and the options of each.
//   in  -> schemas and options, as a contract's author writes them
//   out -> a frozen `MethodDefinition`: one shape for all kinds, so that the runtime needs no cases
// Checks nothing of the schemas themselves: `contract()` does, once it knows their names.

import type { TSchema } from 'typebox'

/** The kinds of call; `event` is one-way. */
export type Kind = 'unary' | 'serverStream' | 'clientStream' | 'bidi' | 'event'

/**
 * What `input`, `output`, `params`, `resumable` and `errors` accept: any schema of TypeBox.
 * TypeBox's own `TSchema` is `{}` and would let `5` and `{ name: T.String() }` pass. This type has
 * optional properties only, and TypeScript refuses what shares none of them.
 */
export interface Schema extends TSchema {
  readonly '~kind'?: string
  readonly '~unsafe'?: unknown
}

/** Declared errors of a method: tag to schema of its data. */
export interface ErrorSchemas {
  readonly [tag: string]: Schema
}

/** Any method as the runtime sees it. Absent parts are `undefined`, never missing. */
export interface MethodDefinition {
  readonly kind: Kind
  /** Caller to callee: the one input, or each item where the caller streams. */
  readonly input: object | undefined
  /** Callee to caller: the one output, or each item where the callee streams. */
  readonly output: object | undefined
  /** Opens a `clientStream` or `bidi` call. */
  readonly params: object | undefined
  /** Type of the positions of a `resumable` stream. */
  readonly cursor: object | undefined
  readonly errors: Readonly<Record<string, object>> | undefined
  /** The call may be sent again although it may have run. */
  readonly idempotent: boolean
  /** Default deadline of a call, in milliseconds. */
  readonly timeoutMs: number | undefined
}

/** The part of `MethodDefinition` that does not depend on the schemas. */
interface Settled {
  readonly idempotent: boolean
  readonly timeoutMs: number | undefined
}

// Schemas stand by position and stay schemas: values are inferred only where a method is used.
// The type parameters have no constraints, for the functions below have checked them.

/** One input, one output. */
export interface Unary<I, O, E> extends Settled {
  readonly kind: 'unary'
  readonly input: I
  readonly output: O
  readonly params: undefined
  readonly cursor: undefined
  readonly errors: E
}

/** One input, a stream of outputs; `C` is the cursor of a resumable one. */
export interface ServerStream<I, O, E, C> extends Settled {
  readonly kind: 'serverStream'
  readonly input: I
  readonly output: O
  readonly params: undefined
  readonly cursor: C
  readonly errors: E
}

/** Params, a stream of inputs, one output. */
export interface ClientStream<P, I, O, E> extends Settled {
  readonly kind: 'clientStream'
  readonly input: I
  readonly output: O
  readonly params: P
  readonly cursor: undefined
  readonly errors: E
}

/** Params, a stream each way. */
export interface Bidi<P, I, O, E> extends Settled {
  readonly kind: 'bidi'
  readonly input: I
  readonly output: O
  readonly params: P
  readonly cursor: undefined
  readonly errors: E
}

/** One input, no answer. */
export interface Event<I> extends Settled {
  readonly kind: 'event'
  readonly input: I
  readonly output: undefined
  readonly params: undefined
  readonly cursor: undefined
  readonly errors: undefined
}

/** Options of every kind that answers. */
export interface AnswerOptions<E> {
  /** Errors that the handler may throw with checked data: `call.errors.NameTaken({ ... })`. */
  readonly errors?: E | undefined
  /** Default deadline of a call, in milliseconds; without it 30 s for unary, none for streams. */
  readonly timeoutMs?: number | undefined
}

export interface UnaryOptions<I, O, E> extends AnswerOptions<E> {
  readonly input?: I | undefined
  readonly output?: O | undefined
  /** Running twice does no harm: the call may be sent again although it may have run. */
  readonly idempotent?: boolean | undefined
}

export interface ServerStreamOptions<I, O, E, C> extends AnswerOptions<E> {
  readonly input?: I | undefined
  readonly output: O
  /** Type of the cursor: the handler gives each item a position, and a caller may start after one. */
  readonly resumable?: C | undefined
  readonly idempotent?: boolean | undefined
}

export interface ClientStreamOptions<P, I, O, E> extends AnswerOptions<E> {
  readonly params?: P | undefined
  readonly input: I
  readonly output?: O | undefined
}

export interface BidiOptions<P, I, O, E> extends AnswerOptions<E> {
  readonly params?: P | undefined
  readonly input: I
  readonly output: O
}

export interface EventOptions<I> {
  readonly input?: I | undefined
}

/** A call with one input and one output. */
export function unary<
  I extends Schema | undefined = undefined,
  O extends Schema | undefined = undefined,
  E extends ErrorSchemas | undefined = undefined,
>(options: UnaryOptions<I, O, E>): Unary<I, O, E> {
  return define('unary', options) as Unary<I, O, E>
}

/** A call that is answered by a stream of `output` items. */
export function serverStream<
  O extends Schema,
  I extends Schema | undefined = undefined,
  E extends ErrorSchemas | undefined = undefined,
  C extends Schema | undefined = undefined,
>(options: ServerStreamOptions<I, O, E, C>): ServerStream<I, O, E, C> {
  return define('serverStream', options) as ServerStream<I, O, E, C>
}

/** A call that sends a stream of `input` items and is answered once. */
export function clientStream<
  I extends Schema,
  P extends Schema | undefined = undefined,
  O extends Schema | undefined = undefined,
  E extends ErrorSchemas | undefined = undefined,
>(options: ClientStreamOptions<P, I, O, E>): ClientStream<P, I, O, E> {
  return define('clientStream', options) as ClientStream<P, I, O, E>
}

/** A call with a stream each way. */
export function bidi<
  I extends Schema,
  O extends Schema,
  P extends Schema | undefined = undefined,
  E extends ErrorSchemas | undefined = undefined,
>(options: BidiOptions<P, I, O, E>): Bidi<P, I, O, E> {
  return define('bidi', options) as Bidi<P, I, O, E>
}

/** A one-way message: nothing comes back, not even an error. */
export function event<I extends Schema | undefined = undefined>(
  options: EventOptions<I> = {},
): Event<I> {
  return define('event', options) as Event<I>
}

/** Every option of every kind, as plain values. */
interface LooseOptions {
  readonly input?: object | undefined
  readonly output?: object | undefined
  readonly params?: object | undefined
  readonly resumable?: object | undefined
  readonly errors?: ErrorSchemas | undefined
  readonly idempotent?: boolean | undefined
  readonly timeoutMs?: number | undefined
}

const shared = ['errors', 'timeoutMs']
const optionNames: Readonly<Record<Kind, readonly string[]>> = {
  unary: ['input', 'output', 'idempotent', ...shared],
  serverStream: ['input', 'output', 'resumable', 'idempotent', ...shared],
  clientStream: ['params', 'input', 'output', ...shared],
  bidi: ['params', 'input', 'output', ...shared],
  event: ['input'],
}

/** setTimeout takes no longer delay, and the wire has 32 bits for it. */
const longestTimeoutMs = 2 ** 31 - 1

/** Throws TypeError for an unknown option and for a timeout that is no timeout. */
function define(kind: Kind, options: LooseOptions): MethodDefinition {
  for (const name of Object.keys(options)) {
    if (!optionNames[kind].includes(name)) throw new TypeError(`${kind}: no option '${name}'`)
  }
  const { input, output, params, resumable, errors, idempotent = false, timeoutMs } = options
  if (timeoutMs !== undefined && !(timeoutMs >= 1 && timeoutMs <= longestTimeoutMs))
    throw new TypeError(`${kind}: timeoutMs must be from 1 to ${longestTimeoutMs}`)
  return Object.freeze({
    kind,
    input,
    output,
    params,
    cursor: resumable,
    errors: errors === undefined ? undefined : Object.freeze({ ...errors }),
    idempotent,
    timeoutMs,
  })
}
