// Callbox over WebSocket on Deno: its own server and client. Chosen by the `deno` condition of the
// package's exports.

import type { Transport } from '@callbox/core/internal'
import { listenDeno } from './listen.deno.ts'
import { nativeTransport } from './native.ts'
import type { WsDialOptions, WsListenOptions } from './options.ts'

export { fromWebSocket, type FromWebSocketOptions } from './from-web-socket.ts'
export type { WebSocketLike } from './message-link.ts'
export type { OriginRule } from './origin.ts'
export type { WsListenOptions } from './options.ts'

/** What of the options of a dialing client does not need our own implementation, on Node. */
export type WsNativeDialOptions = Pick<WsDialOptions, 'allowUrlCredential'>

/** To a server: `ws('wss://game.example/rpc')`. Throws TypeError for a URL that is no WebSocket's. */
export function ws(url: string | URL, options?: WsNativeDialOptions): Transport
/** For a server: a port of its own. */
export function ws(options: WsListenOptions): Transport
export function ws(
  to: string | URL | WsListenOptions,
  options: WsNativeDialOptions = {},
): Transport {
  if (typeof to === 'string' || to instanceof URL) return nativeTransport(new URL(to), options)
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 65_535)
    throw new RangeError('port must be an integer from 0 to 65535')
  const name = to.cert === undefined ? 'ws' : 'wss'
  return {
    name,
    target: `${name}://${to.host ?? '*'}:${to.port}${to.path ?? '/'}`,
    listen: (options) => listenDeno(to, options),
  }
}
