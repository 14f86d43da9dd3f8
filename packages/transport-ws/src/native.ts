// By the WebSocket that the runtime itself has: browsers, Bun, Deno.
//   in  -> a URL, or where to listen and how the runtime does that
//   out -> a transport

import type { Listener, ListenOptions, Transport } from '@callbox/core/internal'
import { dialMessages } from './dial-message.ts'
import { checkEndpoint } from './endpoint.ts'
import type { MessageLink } from './message-link.ts'
import type { WsDialOptions, WsListenOptions } from './options.ts'
import { subprotocol } from './subprotocol.ts'

export interface NativeOptions {
  readonly allowUrlCredential?: boolean | undefined
  /** Is told of every connection. */
  readonly onLink?: (link: MessageLink) => void
}

/**
 * Throws TypeError for a URL that is no WebSocket's, or that has
 * credentials in it.
 */
export function nativeTransport(
  url: URL,
  { allowUrlCredential, onLink }: NativeOptions = {},
): Transport {
  if (url.protocol === 'http:') url.protocol = 'ws:'
  if (url.protocol === 'https:') url.protocol = 'wss:'
  checkEndpoint(url, allowUrlCredential)
  const name = url.protocol.slice(0, -1)
  return {
    name,
    target: `${url.protocol}//${url.host}${url.pathname}`,
    async dial(options) {
      const make = (): WebSocket => new WebSocket(url, subprotocol)
      const link = await dialMessages(make, { transport: name }, options)
      onLink?.(link)
      return link
    },
  }
}

/** What of the options of a dialing client does not need our own implementation, on Node. */
export type WsNativeDialOptions = Pick<WsDialOptions, 'allowUrlCredential'>

/** `ws()` of a runtime that listens by means of its own. Throws RangeError for a port that cannot be. */
export function nativeWs(
  to: string | URL | WsListenOptions,
  options: WsNativeDialOptions,
  listen: (own: WsListenOptions, terms: ListenOptions) => Promise<Listener>,
): Transport {
  if (typeof to === 'string' || to instanceof URL) return nativeTransport(new URL(to), options)
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 65_535)
    throw new RangeError('port must be an integer from 0 to 65535')
  const name = to.cert === undefined ? 'ws' : 'wss'
  return {
    name,
    target: `${name}://${to.host ?? '*'}:${to.port}${to.path ?? '/'}`,
    listen: (terms) => listen(to, terms),
  }
}
