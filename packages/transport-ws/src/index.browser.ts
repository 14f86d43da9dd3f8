// Callbox over the browser's WebSocket. Chosen by the `browser` condition of the package's exports.

import type { Transport } from '@callbox/core/internal'
import type { MessageLink } from './message-link.ts'
import { nativeTransport } from './native.ts'

export { fromWebSocket, type FromWebSocketOptions } from './from-web-socket.ts'
export type { WebSocketLike } from './message-link.ts'

/** Options of `ws('wss://...')` in a browser. */
export interface WsDialOptions {
  /**
   * Lets a parameter of the URL be named `token`, `auth`, `jwt` or `access_token`. Default false:
   * URLs end in logs, and `createClient` has `credential`.
   */
  readonly allowUrlCredential?: boolean | undefined
}

/**
 * To a server: `ws('wss://game.example/rpc')`, or a path of this page's own host.
 * Throws TypeError for a URL that is no WebSocket's: a browser cannot listen.
 */
export function ws(to: string | URL, options: WsDialOptions = {}): Transport {
  if (typeof to !== 'string' && !(to instanceof URL))
    throw new TypeError('ws: a browser can only dial, pass a URL')
  const { allowUrlCredential } = options
  const url = new URL(to, globalThis.location?.href)
  return nativeTransport(url, { allowUrlCredential, onLink: closeWithPage })
}

/**
 * A page that is left may come back from the back-forward cache, but not with an open connection.
 * The link is given up without a word: the session can be resumed when the page is shown again.
 */
function closeWithPage(link: MessageLink): void {
  if (typeof addEventListener !== 'function') return
  const onPageHide = (): void => link.abort('the page was left')
  addEventListener('pagehide', onPageHide)
  void link.whenClosed.then(() => removeEventListener('pagehide', onPageHide))
}
