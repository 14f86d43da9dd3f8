// Callbox over WebSocket on Deno: its own server and client. Chosen by the `deno` condition of the
// package's exports.

import type { Transport } from '@callbox/core/internal'
import { listenDeno } from './listen.deno.ts'
import { nativeWs, type WsNativeDialOptions } from './native-ws.ts'
import type { WsListenOptions } from './options.ts'

export { fromWebSocket, type FromWebSocketOptions } from './from-web-socket.ts'
export type { WebSocketLike } from './message-link.ts'
export type { WsNativeDialOptions } from './native-ws.ts'
export type { WsListenOptions } from './options.ts'
export type { OriginRule } from './origin.ts'

/** To a server: `ws('wss://game.example/rpc')`. Throws TypeError for a URL that is no WebSocket's. */
export function ws(url: string | URL, options?: WsNativeDialOptions): Transport
/** For a server: a port of its own. */
export function ws(options: WsListenOptions): Transport
export function ws(
  to: string | URL | WsListenOptions,
  options: WsNativeDialOptions = {},
): Transport {
  return nativeWs(to, options, listenDeno)
}
