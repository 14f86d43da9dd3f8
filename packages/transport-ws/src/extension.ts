// What an extension of RFC 6455 (section 9) is to the message-level API. There is one: deflate.ts.
//   in  -> parameters of the opening handshake; messages
//   out -> what was agreed; messages in the form of the wire, and back

/** One parameter of an offer or an answer, in the order in which they came. */
export interface ExtensionParameter {
  readonly name: string
  /** Undefined for a parameter without a value. */
  readonly value: string | undefined
}

/** Passed to `acceptWebSocket` and `connectWebSocket` by who wants it; nothing is negotiated otherwise. */
export interface WebSocketExtension {
  /** As registered, for example `permessage-deflate`. */
  readonly name: string
  /** A client's offer, as it stands in Sec-WebSocket-Extensions. */
  offer(): string
  /** A server's answer to one offer; undefined declines it. */
  accept(offered: readonly ExtensionParameter[]): AgreedExtension | undefined
  /** A client's check of the answer. Throws Error naming the rule that it breaks. */
  confirm(chosen: readonly ExtensionParameter[]): AgreedExtension
}

/** An extension with its parameters settled. */
export interface AgreedExtension {
  /** As it stands in the answer's Sec-WebSocket-Extensions. */
  readonly value: string
  /** What one connection works with. */
  start(): MessageCodec
}

/**
 * Changes whole messages, marked by RSV1. Calls of one direction never overlap, and `done` is called
 * once, later than the call itself.
 */
export interface MessageCodec {
  /** Whether a message of so many bytes is worth it. */
  wants(size: number): boolean
  encode(message: Uint8Array, done: (error: Error | undefined, payload: Uint8Array) => void): void
  /**
   * Gives back at most `maxMessage` bytes; otherwise, and for what cannot be decoded, a
   * WebSocketError with its close code.
   */
  decode(
    payload: Uint8Array,
    maxMessage: number,
    done: (error: Error | undefined, message: Uint8Array) => void,
  ): void
  /** Gives its memory back; what is under way is not finished. Idempotent. */
  close(): void
}
