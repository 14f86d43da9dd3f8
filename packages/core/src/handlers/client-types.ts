// What `createClient` gives: calls of every contract, what the server may call, and the connection.
//   in  -> contracts, by their types
//   out -> `Client` and its parts
// Types only. The client package makes the value; here because it both calls and handles.

/// <reference lib="esnext.disposable" preserve="true" />

import type { ClientSnapshot } from '../calls/snapshot.ts'
import type { CallsOf } from '../calls/types.ts'
import type { AnyContract, MethodsOf } from '../contract/contract.ts'
import type { ClientHandlers } from './types.ts'

/** What `createClient` gives: the calls of each contract under its key, and the controls. */
export type Client<Cs> = {
  readonly [K in keyof Cs]: Cs[K] extends AnyContract ? CallsOf<MethodsOf<Cs[K]>> : never
} & ClientControls

/** Keys that a client has beside its contracts. */
export interface ReservedContracts {
  readonly handle?: 'reserved: client.handle() serves what the server may call'
  readonly state?: 'reserved: client.state is the state of the connection'
  readonly on?: 'reserved: client.on() listens to events'
  readonly close?: 'reserved: client.close() ends the client'
  readonly inspect?: 'reserved: client.inspect() tells what is open'
  readonly then?: 'reserved: a client with then would look like a promise'
  readonly toJSON?: 'reserved: JSON.stringify would call it'
}

/** Where a client's connection stands. */
export type ClientState = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'closed'

/** A new state. */
export interface StateChange {
  readonly state: ClientState
  /** With `reconnecting`: milliseconds until the next attempt. */
  readonly retryInMs?: number | undefined
  /** Why the connection was lost or refused. Safe to log. */
  readonly error?: unknown
}

/** What `client.on` listens to. */
export interface ClientEvents {
  state: (change: StateChange) => void
  /** The connection was lost and is back: every call and stream goes on, nothing was lost. */
  resumed: () => void
  /**
   * A new session has begun: what the server kept for the old one is gone. Calls of the old one
   * have failed, or still end where the server is shutting down. Calls made by this listener go
   * out before those that waited.
   */
  sessionLost: () => void
}

/** Everything of a client but the calls. */
export interface ClientControls {
  readonly state: ClientState
  /** Serves what the server may call on this client. The result takes the handlers back. */
  handle<C extends AnyContract>(contract: C, handlers: ClientHandlers<C>): () => void
  /** Listens; the result stops listening. */
  on<K extends keyof ClientEvents>(event: K, listener: ClientEvents[K]): () => void
  /** What is open and held at this moment: for status pages, and tests that count. */
  inspect(): ClientSnapshot
  /** Ends the connection and fails what still runs. Always settles; idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
