// Callbox over any WebSocket object: of a runtime or a library that this package does not know.
//   in  -> a function that opens one
//   out -> a transport to dial with

import type { Transport } from '@callbox/core/internal'
import { dialMessages } from './dial-message.ts'
import type { WebSocketLike } from './message-link.ts'

export interface FromWebSocketOptions {
  /** What errors and `peer.transport` call it, default `ws`. */
  readonly name?: string | undefined
  /** Where it leads, for errors: no credentials. Default: the name. */
  readonly target?: string | undefined
}

/**
 * To a server, by WebSockets that `open` makes: a new one for every connection, connecting or open,
 * with the subprotocol `callbox.v1` and without compression. Callbox owns what it gets: it sets the
 * four `on...` handlers, and closes it.
 */
export function fromWebSocket(
  open: () => WebSocketLike,
  { name = 'ws', target = name }: FromWebSocketOptions = {},
): Transport {
  return {
    name,
    target,
    dial: (options) => dialMessages(open, { transport: name }, options),
  }
}
