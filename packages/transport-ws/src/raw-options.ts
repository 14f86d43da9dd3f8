// What users write to accept or to connect a WebSocket without the RPC layer, and what they get.

import type { Agent } from 'node:http'
import type { WebSocketExtension } from './extension.ts'
import type { OriginRule } from './origin.ts'
import type { TlsOptions } from './request.ts'

/** What both sides may set. Every limit is told to the peer by a close code when it is broken. */
export interface RawWebSocketOptions {
  /**
   * Largest message that the peer may send, in bytes, after decompression. Default 1 MiB. Over it the
   * connection is closed with 1009, on the header where the header tells.
   */
  readonly maxMessage?: number | undefined
  /** Most frames that a message may be cut into. Default 1,024; `Infinity` allows any. Over it: 1008. */
  readonly maxFragments?: number | undefined
  /**
   * Most bytes that may wait for a peer that does not read. Default 16 MiB. Who sends on over it,
   * although `send` answered false, loses the connection.
   */
  readonly maxUnsent?: number | undefined
  /** Milliseconds that a close handshake may take before the socket is destroyed. Default 5,000. */
  readonly closeTimeoutMs?: number | undefined
  /**
   * Extensions that may be agreed, in order of preference, for example `[deflate()]`. Default none.
   * At most one is agreed.
   */
  readonly extensions?: readonly WebSocketExtension[] | undefined
}

export interface AcceptWebSocketOptions extends RawWebSocketOptions {
  /** Subprotocols that the server speaks. The first of the client's that is among them is chosen. */
  readonly subprotocols?: readonly string[] | undefined
  /** Refuses with 400 who speaks none of `subprotocols`. Default false. */
  readonly requireSubprotocol?: boolean | undefined
  /**
   * Which pages may connect. Default `same-host`: pages whose host is the one in the Host header.
   * Clients that are no browsers send no Origin and are let in, unless they send cookies. `*` checks
   * nothing.
   */
  readonly allowedOrigins?: OriginRule | undefined
  /** Told why a request was refused, and with which status. The answer has been sent then. */
  readonly onRefused?: ((reason: string, status: number) => void) | undefined
}

export interface ConnectWebSocketOptions extends RawWebSocketOptions {
  /** Subprotocols to offer, in order of preference. The server may choose none. */
  readonly subprotocols?: readonly string[] | undefined
  /** More headers of the request. Names must be tokens, and not those of the handshake. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Ends the attempt. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds until the WebSocket must be open, proxy, TLS and upgrade included. Default 10,000. */
  readonly timeoutMs?: number | undefined
  /** Makes the connection: of `node:http` for `ws`, of `node:https` for `wss`. Default: none is used. */
  readonly agent?: Agent | undefined
  /** A unix socket to connect to. The URL then names host and path of the request only. */
  readonly socketPath?: string | undefined
  /** An HTTP proxy to go through by CONNECT. Credentials in its URL go to the proxy as Basic. */
  readonly proxy?: string | URL | undefined
  /** For `wss`. The certificate is checked for the host of the URL, or `servername`. */
  readonly tls?: TlsOptions | undefined
}

/** How a WebSocket ended. */
export interface RawWebSocketClose {
  /**
   * The code of the peer's close frame. 1005: it had none. 1006: there was no close frame. Where the
   * peer broke a rule: the code that it was told.
   */
  readonly code: number
  /** The peer's words; where it broke a rule, which. Not to be shown to others as it is. */
  readonly reason: string
  /** Both sides have sent a close frame and no rule was broken. */
  readonly wasClean: boolean
  /** What went wrong, if anything: of the socket, of the peer, or thrown by the handler. */
  readonly error?: unknown
}

/**
 * What a WebSocket tells its user. An error that one of these throws aborts the connection and is
 * given to `onClose`; what `onClose` itself throws becomes a warning of the process.
 */
export interface RawWebSocketHandler {
  /**
   * One message, text or binary. The bytes are the receiver's, and stay as they are; a small message
   * may share memory with others that came with it, so copy what is kept for long.
   */
  onMessage(message: string | Uint8Array): void
  /** After `send` answered false: everything has left. */
  onDrain?(): void
  /** A ping came; it has been answered already. */
  onPing?(payload: Uint8Array): void
  onPong?(payload: Uint8Array): void
  /** Exactly once, and nothing after it. */
  onClose(close: RawWebSocketClose): void
}

/** One open WebSocket. Made by `acceptWebSocket` and `connectWebSocket`. */
export interface RawWebSocket {
  /** The agreed subprotocol; empty for none. */
  readonly protocol: string
  /** The agreed extension with its parameters, as in the handshake; empty for none. */
  readonly extensions: string
  /** Bytes handed over and not yet taken by the operating system. */
  readonly bufferedAmount: number
  readonly state: 'open' | 'closing' | 'closed'
  /** Begins delivery, once. Nothing is read before. Throws Error the second time. */
  open(handler: RawWebSocketHandler): void
  /**
   * Sends one message: a string as text, bytes as binary. False: the peer does not keep up, wait for
   * `onDrain`. What is sent in one turn leaves together at its end. Large messages are not copied on
   * a server, so the bytes must not change until they have left. Ignored, with false, once the
   * connection is closing. Throws TypeError for anything else than string and Uint8Array.
   */
  send(message: string | Uint8Array): boolean
  /** Sends a ping of at most 125 bytes; throws RangeError for more. */
  ping(payload?: Uint8Array): void
  /** Stops and restarts delivery of messages, and reading: backpressure toward the peer. */
  pause(): void
  resume(): void
  /**
   * Sends what was sent before, then a close frame, and waits for the peer's. Default 1000. Messages
   * that are still on their way are delivered, unless paused. Settles when the socket is gone, at the
   * latest after `closeTimeoutMs`. Idempotent. Throws RangeError for a code that may not be sent
   * (RFC 6455, section 7.4) or a reason over 123 bytes, TypeError for a reason that is no string.
   */
  close(code?: number, reason?: string): Promise<void>
  /** Destroys the socket now. Idempotent. */
  abort(): void
}

export interface RawLimits {
  readonly maxMessage: number
  readonly maxFragments: number
  readonly maxUnsent: number
  readonly closeTimeoutMs: number
}

/** The last limits made: a server passes the same ones for each socket, which then share them. */
let shared: RawLimits | undefined

/** Every field filled in. Throws RangeError for what is no limit. */
export function limitsOf(options: RawWebSocketOptions): RawLimits {
  const {
    maxMessage = 1024 * 1024,
    maxFragments = 1_024,
    maxUnsent = 16 * 1024 * 1024,
    closeTimeoutMs = 5_000,
  } = options
  const limits = { maxMessage, maxFragments, maxUnsent, closeTimeoutMs }
  if (shared === undefined || !isSame(shared, limits)) shared = checked(limits)
  return shared
}

function isSame(one: RawLimits, other: RawLimits): boolean {
  return (
    one.maxMessage === other.maxMessage &&
    one.maxFragments === other.maxFragments &&
    one.maxUnsent === other.maxUnsent &&
    one.closeTimeoutMs === other.closeTimeoutMs
  )
}

function checked(limits: RawLimits): RawLimits {
  for (const [name, value] of Object.entries(limits) as [string, number][]) {
    const least = name === 'maxFragments' ? 1 : 0
    if (!(value >= least) || (value !== Infinity && !Number.isSafeInteger(value)))
      throw new RangeError(`${name} must be an integer from ${least}, or Infinity`)
  }
  // What `setTimeout` takes for 1 ms.
  if (limits.closeTimeoutMs > 0x7fff_ffff)
    throw new RangeError('closeTimeoutMs is too long for a timer')
  return limits
}
