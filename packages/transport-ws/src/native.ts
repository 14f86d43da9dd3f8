// To a server, by the WebSocket that the runtime itself has: browsers, Bun, Deno.
//   in  -> a URL
//   out -> a transport to dial with

import type { Transport } from '@callbox/core/internal'
import { dialMessages } from './dial-message.ts'
import { checkEndpoint } from './endpoint.ts'
import type { MessageLink } from './message-link.ts'
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
