// To a server, by the WebSocket that the runtime itself has: browsers, Bun, Deno.
//   in  -> a URL
//   out -> a transport to dial with

import type { Transport } from '@callbox/core/internal'
import { dialMessages } from './dial-message.ts'
import type { MessageLink } from './message-link.ts'
import { subprotocol } from './subprotocol.ts'

/**
 * `onLink` is told of every connection. Throws TypeError for a URL that is no WebSocket's, or that has
 * credentials in it.
 */
export function nativeTransport(url: URL, onLink?: (link: MessageLink) => void): Transport {
  if (url.protocol === 'http:') url.protocol = 'ws:'
  if (url.protocol === 'https:') url.protocol = 'wss:'
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    throw new TypeError('ws: the URL must begin with ws:// or wss://')
  if (url.username !== '' || url.password !== '')
    throw new TypeError('ws: no credentials in the URL, pass `credential` to createClient')
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
