// What a handler sees, and how services, contexts and a server fit together.
//   in  -> contracts, by their types
//   out -> `Handlers`, `HandlerCall`, `Service`, `ServerOptions` and their parts
// Types only. The `call` object is made in `context.ts`, the method table in `implement.ts`.

import type { ClientCallsOf, CallsOf, Metadata, Next, Signal } from '../calls/types.ts'
import type { AnyContract, ClientMethodsOf, MethodsOf } from '../contract/contract.ts'
import type { DeclaredError, Static, Value } from '../contract/infer.ts'
import type { Bidi, ClientStream, Event, Kind, ServerStream, Unary } from '../contract/kinds.ts'
import type { Peer } from '../link/link.ts'

type Awaitable<T> = T | Promise<T>

/** What every handler gets as `call`, on either side. */
export interface CommonCall {
  /** Fires when the caller cancels, the deadline passes or the connection is lost. */
  readonly signal: Signal
  /** Milliseconds left when read; undefined without a deadline. */
  readonly deadline: number | undefined
  readonly metadata: Metadata
}

/** What a handler of a server gets beside its input. `R` are the methods that it may call back. */
export interface HandlerCall<Context, R> extends CommonCall {
  /** What `authenticate` gave for this connection. */
  readonly context: Context
  /** Calls to this client, of the contract that the handler belongs to. */
  readonly client: CallsOf<R>
  readonly connection: Connection
}

/** One client, as its handlers see it. */
export interface Connection {
  readonly peer: Peer
  /** Calls to this client, of any contract. */
  client<C extends AnyContract>(contract: C): ClientCallsOf<C>
}

/** With declared errors: their constructors, to be thrown. */
export interface ErrorsPart<E> {
  readonly errors: {
    readonly [Tag in keyof E & string]: (
      data: Static<E[Tag]>,
      options?: ErrorTerms,
    ) => DeclaredError<Tag, Static<E[Tag]>>
  }
}

export interface ErrorTerms {
  readonly message?: string | undefined
  /** The caller should not try again sooner, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** Stays in this process, for the log. */
  readonly cause?: unknown
}

/** Where the caller streams. */
export interface InputPart<I> {
  /** Items in order. The caller may send while the handler reads: that is the backpressure. */
  readonly input: AsyncIterableIterator<I, void, void>
}

/** Where the stream is resumable. */
export interface CursorPart<C, T> {
  /** Start after this position; undefined for a stream from now on. */
  readonly cursor: C | undefined
  /** Gives an item its position; all that such a handler may yield. */
  at(cursor: C, item: T, terms?: PositionTerms): Positioned<C, T>
}

/** What else is to be said of an item with a position. */
export interface PositionTerms {
  /**
   * This item does not follow the cursor that the caller gave, or the item before it: something in
   * between is gone, and why. The caller's `onReset` is told before it gets the item.
   */
  readonly reset?: string | undefined
}

/** An item with its position, made by `call.at`. */
export interface Positioned<C, T> {
  readonly '~positioned': true
  readonly 'cursor': C
  readonly 'item': T
}

/** The handlers of a contract, by name: `Handlers<typeof lobby, Context>['create']`. */
export type Handlers<C extends AnyContract, Context> = HandlersOf<
  MethodsOf<C>,
  HandlerCall<Context, ClientMethodsOf<C>>
>

/** The handlers of what a server may call on a client. */
export type ClientHandlers<C extends AnyContract> = HandlersOf<ClientMethodsOf<C>, CommonCall>

/** A handler for each method of a group; `Call` is what every handler of it gets. */
export type HandlersOf<M, Call> = { readonly [K in keyof M]: HandlerOf<M[K], Call> }

/** The handler of one method, or the handlers of a group. */
export type HandlerOf<M, Call> =
  M extends Unary<infer I, infer O, infer E>
    ? (input: Value<I>, call: WithErrors<Call, E>) => Awaitable<Value<O>>
    : M extends ServerStream<infer I, infer O, infer E, infer C>
      ? StreamHandler<Value<I>, WithErrors<Call, E>, C, Static<O>>
      : M extends Bidi<infer P, infer I, infer O, infer E>
        ? (
            params: Value<P>,
            call: WithErrors<Call, E> & InputPart<Static<I>>,
          ) => AsyncIterable<Static<O>>
        : M extends ClientStream<infer P, infer I, infer O, infer E>
          ? (
              params: Value<P>,
              call: WithErrors<Call, E> & InputPart<Static<I>>,
            ) => Awaitable<Value<O>>
          : M extends Event<infer I>
            ? (input: Value<I>, call: Call) => Awaitable<void>
            : HandlersOf<M, Call>

type WithErrors<Call, E> = E extends undefined ? Call : Call & ErrorsPart<E>

type StreamHandler<In, Call, C, T> = C extends undefined
  ? (input: In, call: Call) => AsyncIterable<T>
  : (input: In, call: Call & CursorPart<Static<C>, T>) => AsyncIterable<Positioned<Static<C>, T>>

/** Handlers of a contract, ready for a server. All its type says is the context that they need. */
export interface Service<in Context> {
  readonly '~context': (context: Context) => void
  readonly 'name': string
}

/** `implement` of one context: checks that there is a handler for each method, and no other. */
export type Implement<Context> = <C extends AnyContract>(
  contract: C,
  handlers: Handlers<C, Context>,
) => Service<Context>

/** What `authenticate` gets. */
export interface Hello {
  /** What the client sent, undefined if nothing. Not checked by anyone yet. */
  readonly credential: unknown
  readonly peer: Peer
  /** What the client calls itself. */
  readonly client: { readonly name: string; readonly version: string }
}

/** The context that an `authenticate` gives. */
export type ContextOf<A extends (hello: Hello) => unknown> = Awaited<ReturnType<A>>

/** What all services of a server need together. */
export type Needs<S extends readonly Service<never>[]> = S[number]['~context'] extends (
  context: infer Context,
) => void
  ? Context
  : never

/** Demands `authenticate` as soon as a service uses a context. */
export type AuthenticateIfNeeded<S extends readonly Service<never>[]> =
  unknown extends Needs<S> ? unknown : { readonly authenticate: unknown }

/** What Callbox itself reads of the result of `authenticate`. */
export interface SessionTerms {
  /** Who the client is: a session can be resumed by the same principal only. */
  readonly principal?: string | undefined
  /** When the credential ends; the connection is closed then. */
  readonly expiresAt?: Date | undefined
}

/** Options of `createServer` whose types depend on each other. */
export interface ServiceOptions<S extends readonly Service<never>[], Context> {
  readonly services: S
  /**
   * Its result becomes `call.context`. Rejecting refuses the client as `unauthenticated`, unless
   * an `RpcError` says otherwise.
   */
  readonly authenticate?: ((hello: Hello) => Awaitable<Context & SessionTerms>) | undefined
  readonly interceptors?: readonly Interceptor<Context>[] | undefined
}

/** One call as an interceptor of a server sees it, on its way in. */
export interface IncomingCall<out Context> extends CommonCall {
  /** `service.method`. */
  readonly method: string
  readonly kind: Kind
  readonly context: Context
  readonly connection: Connection
}

/** A function around every call that a server handles. Cannot change the type of the context. */
export type Interceptor<in Context> = (call: IncomingCall<Context>, next: Next) => Promise<unknown>
