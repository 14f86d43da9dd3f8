// What a transport is to Callbox: something that makes links, and a link: one live connection
// that carries whole frames, in order, until it dies.
//   in  -> frames as byte ranges
//   out -> frames as byte ranges, backpressure, one final close
// Knows nothing of what a frame means.

import type { ConnectionError } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'

/**
 * Bytes in front of every frame handed to `Link.write` that belong to the link while it sends:
 * TCP puts its length prefix there, so that frames lying behind each other leave without a copy.
 */
export const frameRoom = 4

/** Who is at the other end, as far as the transport can vouch for it. */
export interface Peer {
  /** `memory`, `tcp`, `tls`, `unix`, `ws`, `wss` or a third party's own name. */
  readonly transport: string
  /** Address of the peer, absent where there is none (unix sockets, memory, browsers). */
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  /** The peer's certificate, only if it was asked for and verified. Shape: node:tls PeerCertificate. */
  readonly certificate?: unknown
  /** Headers of the WebSocket upgrade request, names in lower case. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>> | undefined
  /** The Origin header of the WebSocket upgrade request. */
  readonly origin?: string | undefined
}

/** Why a link is gone. `clean`: the peer closed it in order; otherwise `error` says what broke. */
export interface LinkClose {
  readonly clean: boolean
  /** Safe to log; never payload. */
  readonly reason: string
  readonly error?: unknown
  /** The limit that the peer was over, where that is why. */
  readonly limit?: keyof Limits | undefined
}

/** What a link tells its owner. A link never calls after `onClose`. */
export interface LinkHandler {
  /**
   * One whole frame, `buffer[start, end)`, borrowed until this returns. If it throws, the link is
   * aborted.
   */
  onFrame(buffer: Uint8Array, start: number, end: number): void
  /** What was unsent has left: more may be written. */
  onDrain(): void
  /**
   * The peer broke a rule of the transport's framing, and nothing more will be delivered: the owner
   * may say so, then closes or aborts. Without this the link aborts itself.
   */
  onViolation?(error: ConnectionError): void
  /** The link is gone; called exactly once, also after `close` and `abort`. */
  onClose(close: LinkClose): void
}

export interface Link {
  readonly peer: Peer
  /** Whether BATCH frames may come over it: only WebSocket, where a message costs more than a frame. */
  readonly batches?: boolean
  /** Begins delivery to `handler`. Called once; nothing is read from the peer before. */
  open(handler: LinkHandler): void
  /**
   * Takes one frame, `buffer[start, end)`. The link owns that range and the `frameRoom` bytes in
   * front of it until the bytes have left: it must give the frame's own bytes back unchanged, the
   * caller must not change them either. Nothing leaves before `flush`.
   * Ignored once the link is closing.
   */
  write(buffer: Uint8Array, start: number, end: number): void
  /** Hands everything written since the last flush to the operating system, in one write if possible. */
  flush(): void
  /** Bytes written and not yet taken by the operating system; what `maxUnsent` is compared with. */
  readonly unsentBytes: number
  /** Stops and restarts delivery of frames: backpressure toward the peer. */
  pause(): void
  resume(): void
  /**
   * Sends what was written, then closes politely. Settles when the link is gone, at the latest
   * after the transport's own close timeout (it then aborts). Idempotent.
   */
  close(): Promise<void>
  /** Destroys the link now; unsent bytes are lost. Idempotent. */
  abort(reason?: string): void
}

/** What a link allows its peer, in either role. What is absent is not limited. */
export interface LinkLimits {
  /** Largest frame that the peer may send, header included, in bytes. */
  readonly maxFrame: number
  /** Milliseconds within which a frame whose first byte has come must be complete. */
  readonly frameMs?: number | undefined
  /** Pings of the transport's own (WebSocket) that are free at first; one more each second. */
  readonly pingBurst?: number | undefined
  /** Pieces (WebSocket frames) into which the peer may cut one frame. */
  readonly maxFragments?: number | undefined
}

export interface DialOptions extends LinkLimits {
  /** Aborts the attempt. */
  readonly signal: AbortSignalLike
}

/** The part of AbortSignal that core needs, so that it depends on no DOM types. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason?: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Limits that are reached before there is a link. */
export type ArrivalLimit = 'maxConnections' | 'maxPreAuth' | 'handshakeMs'

export interface ListenOptions extends LinkLimits {
  /**
   * Takes every new link. The link delivers nothing until it is opened. `elapsedMs`: milliseconds
   * since the connection was accepted, spent on handshakes of the transport's own (default 0).
   */
  onLink(link: Link, elapsedMs?: number): void
  /** Something failed that belongs to no link: a refused handshake, an accept error. Safe to log. */
  onError(error: unknown): void
  /** Largest first frame that a peer may send, in bytes: it is still a stranger. */
  readonly maxFirstFrame?: number | undefined
  /** Milliseconds from accept until the transport's own handshake (TLS, HTTP upgrade) must be done. */
  readonly handshakeMs: number
  /** Links that may be open at once; over it a transport refuses in its own words. */
  readonly maxConnections: number
  /** Asked at each accept: a limit of the owner's own that lets nobody else in now. */
  readonly full?: (() => 'maxConnections' | 'maxPreAuth' | undefined) | undefined
  /** A connection was refused for a limit. Without this, `onError` is told. */
  readonly onRefused?: ((limit: ArrivalLimit) => void) | undefined
}

export interface Listener {
  /** Where it listens: `127.0.0.1`, `::`, or the path of a unix socket. */
  readonly address: string
  /** The port in use, also when 0 was asked for. 0 for unix sockets. */
  readonly port: number
  /** Connections whose handshake of the transport's own is not through. */
  readonly arriving?: number
  /** Stops accepting. Links live on. Settles when the address is free again. Idempotent. */
  close(): Promise<void>
}

/** Makes links. One value serves `createClient` (dial) or `server.listen` (listen), or both. */
export interface Transport {
  readonly name: string
  /** Where it leads, for logs and errors, without credentials: `tcp://127.0.0.1:7000`. */
  readonly target: string
  /** Connects. Rejects with the cause when it cannot, or when `signal` aborts. */
  dial?(options: DialOptions): Promise<Link>
  /** Listens. Rejects with the cause when it cannot. */
  listen?(options: ListenOptions): Promise<Listener>
}
