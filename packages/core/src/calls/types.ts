// What a caller sees: calls as plain functions, streams, and how a call ends.
//   in  -> contracts, by their types
//   out -> `CallsOf`, `Items`, `Duplex`, `Reply`, `Outcome`
// Types only. The functions are built in `caller.ts`, the streams in `stream.ts`.

/// <reference lib="esnext.disposable" preserve="true" />

import type { RpcError } from '../base/errors.ts'
import type { AnyContract, ClientMethodsOf } from '../contract/contract.ts'
import type { Argument, DeclaredIn, Static, Value } from '../contract/infer.ts'
import type { Bidi, ClientStream, Event, Kind, ServerStream, Unary } from '../contract/kinds.ts'
import type { AbortSignalLike } from '../link/link.ts'

/**
 * The AbortSignal of the runtime that the user compiles for; core itself knows none. Resolved in
 * the user's program, so it is Node's or the browser's own type there.
 */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer S } }
  ? S
  : AbortSignalLike

/** What goes with a call beside its input. Keys are `[a-z0-9-]`, 64 at most, 8 KiB in all. */
export interface Metadata {
  readonly [key: string]: string | Uint8Array
}

/** Options of one call. */
export interface CallOptions {
  /** Cancels the call, at the callee too. */
  readonly signal?: AbortSignalLike | undefined
  /** Deadline of the call, in milliseconds from now. */
  readonly timeoutMs?: number | undefined
  readonly metadata?: Metadata | undefined
  /**
   * False: fails at once with `unavailable`, processed `no`, while the connection is down, instead
   * of waiting for it until the deadline. Default: the client's option, true.
   */
  readonly waitForReady?: boolean | undefined
}

/** Options of one call of a resumable stream. */
export interface ResumableCallOptions<C> extends CallOptions {
  /** Start after the item at this position. */
  readonly cursor?: C | undefined
  /**
   * Called before the first item that does not follow the one before it: what lay between is gone.
   * `reason` is the handler's. Must not throw.
   */
  readonly onReset?: ((reason: string) => void) | undefined
}

/** The answer of a method that declares errors: a Promise. `'~errors'` never exists; `safe` reads its type. */
export interface Reply<T, E> extends Promise<T> {
  readonly '~errors'?: E
}

/**
 * The items of a stream, to be read once. Leaving a `for await` early cancels the call. Has no
 * `then`: awaiting it gives the stream itself.
 */
export interface Items<T> extends AsyncIterableIterator<T, void, void> {
  /** Cancels the call; what waits unread is dropped. Harmless once the stream has ended. */
  cancel(): void
  return(): Promise<IteratorResult<T, void>>
  [Symbol.asyncIterator](): AsyncIterableIterator<T, void, void>
  /** The same as `cancel`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Both directions of a `bidi` call: items to read, and `send`. */
export interface Duplex<I, O> extends Items<O> {
  /** Resolves when there is credit for the next item: await it for backpressure. */
  send(item: I): Promise<void>
  /** No more items will be sent; items to read may still come. Idempotent. */
  end(): void
}

/** One method as a function: `CallOf<typeof lobby.create>`. A group is an object of functions. */
export type CallOf<M> =
  M extends Unary<infer I, infer O, infer E>
    ? UnaryCall<I, Answer<O, E>>
    : M extends ServerStream<infer I, infer O, infer _E, infer C>
      ? StreamCall<I, C, Items<Static<O>>>
      : M extends Bidi<infer P, infer I, infer O, infer _E>
        ? DuplexCall<P, Duplex<Static<I>, Static<O>>>
        : M extends ClientStream<infer P, infer I, infer O, infer E>
          ? UploadCall<P, AsyncIterable<Static<I>>, Answer<O, E>>
          : M extends Event<infer I>
            ? UnaryCall<I, Promise<void>>
            : GroupOf<M>

/** The calls of a group of methods, or of a whole contract: `CallsOf<MethodsOf<typeof lobby>>`. */
export type CallsOf<M> = { readonly [K in keyof M]: CallOf<M[K]> }

/** A group with the empty name is a method as well. */
type GroupOf<M> = M extends { readonly '': infer Self }
  ? CallOf<Self> & CallsOf<Omit<M, ''>>
  : CallsOf<M>

type Answer<O, E> = E extends undefined ? Promise<Value<O>> : Reply<Value<O>, E>

// An argument may be left out when the method declares no input or when `{}` satisfies its schema.
// Written out for each case, so that an editor shows a plain function.
type UnaryCall<I, A> = I extends undefined
  ? (input?: undefined, options?: CallOptions) => A
  : {} extends Static<I>
    ? (input?: Argument<I>, options?: CallOptions) => A
    : (input: Static<I>, options?: CallOptions) => A

type StreamCall<I, C, A> = C extends undefined ? UnaryCall<I, A> : ResumableCall<I, Static<C>, A>

type ResumableCall<I, C, A> = I extends undefined
  ? (input?: undefined, options?: ResumableCallOptions<C>) => A
  : {} extends Static<I>
    ? (input?: Argument<I>, options?: ResumableCallOptions<C>) => A
    : (input: Static<I>, options?: ResumableCallOptions<C>) => A

type DuplexCall<P, A> = P extends undefined
  ? (params?: undefined, options?: CallOptions) => A
  : {} extends Static<P>
    ? (params?: Argument<P>, options?: CallOptions) => A
    : (params: Static<P>, options?: CallOptions) => A

// Without params the items are the first argument.
type UploadCall<P, S, A> = P extends undefined
  ? (items: S, options?: CallOptions) => A
  : {} extends Static<P>
    ? (params: Argument<P> | undefined, items: S, options?: CallOptions) => A
    : (params: Static<P>, items: S, options?: CallOptions) => A

/** The calls that a server may make on a client. */
export type ClientCallsOf<C extends AnyContract> = CallsOf<ClientMethodsOf<C>>

/** How a call ended, for `const [error, value] = await safe(...)`: one of the two is undefined. */
export type Outcome<T, E> =
  | readonly [error: undefined, value: T]
  | readonly [error: unknown extends E ? RpcError : DeclaredIn<E>, value: undefined]

/** One call as an interceptor of a client sees it, on its way out. */
export interface OutgoingCall {
  /** `service.method`. */
  readonly method: string
  readonly kind: Kind
  readonly metadata: Metadata
  readonly signal: Signal
  /** Milliseconds left, or undefined. */
  readonly deadline: number | undefined
}

/** What an interceptor may change of a call. */
export interface CallChanges {
  /** Added to the call's own; a key of the same name is replaced. */
  readonly metadata?: Metadata | undefined
}

/**
 * Goes on with the call. Settles when the call is over, for streams too: with the output of the
 * one-answer kinds, else with undefined. May be called once.
 */
export type Next = (changes?: CallChanges) => Promise<unknown>

/** A function around every call that a client makes. */
export type ClientInterceptor = (call: OutgoingCall, next: Next) => Promise<unknown>
