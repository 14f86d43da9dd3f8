// What one call needs of the calls of its session, as interfaces: calls know each other only so.
//   in  -> a call that wants to go out
//   out -> ids, limits, the session
// Made by `calls.ts`.

import type { RpcError } from '../base/errors.ts'
import type { PeerLimits } from '../session/handshake.ts'
import type { Session } from '../session/session.ts'
import type { MethodRef } from './message.ts'
import type { Method } from './method.ts'
import type { Runtime } from './runtime.ts'
import type { WindowTerms } from './credit.ts'
import type { WriterTerms } from './writer.ts'

/** One session, as every call sees it. */
export interface Channel {
  readonly runtime: Runtime
  readonly session: Session
  /** Receive limits that the peer states. */
  readonly peer: PeerLimits
  readonly writerTerms: WriterTerms
  readonly windowTerms: WindowTerms
  /** Of the runtime's codecs, the one of calls by id. */
  readonly codec: number
  /**
   * How a call whose payloads are in this codec names its method; undefined if the peer does not
   * serve it.
   */
  refOf(method: Method, codec: number): MethodRef | undefined
  /** Of the runtime's codecs, the one of a call to this method: that of calls by id, or msgpack. */
  codecFor(method: Method): number
  /** Why `refOf` has no answer. */
  refusalFor(method: Method): RpcError
  /** Calls `listener` when the session is over; the result takes it back. */
  whenEnded(listener: () => void): () => void
}

/** A session, as calls of this side see it. */
export interface SendingChannel extends Channel {
  /** Gives a call its id: its first frame goes to the link now. */
  register(call: Startable): number
  /** A call waits for the link, without an id so far. */
  onTransmit(call: Startable): void
  /** The peer has refused a call and asks to wait so many milliseconds. */
  pauseFor(ms: number): void
  /** A call has settled. `unused`: bytes that the peer may still send for it. */
  closeOutgoing(call: Startable, unused: number): void
  sendEvent(event: Startable): void
}

/** A call or an event that has not gone out. */
export interface Startable {
  readonly settled: boolean
  /** Fails at once while there is no connection, instead of waiting for one. */
  readonly failFast: boolean
  /** Sends it. The session is open and the peer has room for it. */
  transmit(channel: SendingChannel): void
  fail(error: RpcError): void
}

/** Where a call goes: the calls of a session, or a client that waits for a session. */
export interface CallStarter {
  /** Of the runtime's codecs, the one that a call to this method would have now. */
  codecFor(method: Method): number
  start(call: Startable): void
  /** Calls that pause before they are sent again: whoever closes fails them. */
  readonly pausing?: Set<Startable>
}
