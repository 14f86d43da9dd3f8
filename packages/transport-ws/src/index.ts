// Callbox over WebSocket on Node: our own RFC 6455, both roles.

import type { Transport } from '@callbox/core/internal'
import { dialWebSocket } from './dial.ts'
import { checkEndpoint } from './endpoint.ts'
import { attachWebSocket, listenWebSocket } from './listen.ts'
import type { WsAttachOptions, WsDialOptions, WsListenOptions } from './options.ts'
import { checkedUrl, checkHeaders } from './request.ts'

export { fromWebSocket, type FromWebSocketOptions } from './from-web-socket.ts'
export type { WebSocketLike } from './message-link.ts'
export type { WsAttachOptions, WsDialOptions, WsListenOptions } from './options.ts'
export type { OriginRule } from './origin.ts'

/**
 * To a server: `ws('wss://game.example/rpc')`. Throws TypeError for a URL that is no WebSocket's, and
 * for headers that may not stand in a request.
 */
export function ws(url: string | URL, options?: WsDialOptions): Transport
/** For a server: a port of its own, or attached to a server of `node:http` at a path. */
export function ws(options: WsListenOptions | WsAttachOptions): Transport
export function ws(
  to: string | URL | WsListenOptions | WsAttachOptions,
  options: WsDialOptions = {},
): Transport {
  if (typeof to === 'string' || to instanceof URL) {
    const url = checkedUrl(to)
    checkEndpoint(url, options.allowUrlCredential)
    if (options.headers !== undefined) checkHeaders(options.headers)
    return {
      name: url.protocol.slice(0, -1),
      target: `${url.protocol}//${url.host}${url.pathname}`,
      dial: (terms) => dialWebSocket(url, options, terms),
    }
  }
  if ('server' in to)
    return {
      name: 'ws',
      target: `ws at ${to.path ?? '/'}`,
      listen: (terms) => attachWebSocket(to, terms),
    }
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 65_535)
    throw new RangeError('port must be an integer from 0 to 65535')
  const secure = to.cert !== undefined || to.pfx !== undefined
  return {
    name: secure ? 'wss' : 'ws',
    target: `${secure ? 'wss' : 'ws'}://${to.host ?? '*'}:${to.port}${to.path ?? '/'}`,
    listen: (terms) => listenWebSocket(to, terms),
  }
}
