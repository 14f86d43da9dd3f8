// Callbox over the browser's WebSocket. Chosen by the `browser` condition of the package's exports.

import type { Transport } from '@callbox/core/internal'
import { dialBrowserWebSocket } from './dial.browser.ts'

/**
 * To a server: `ws('wss://game.example/rpc')`, or a path of this page's own host.
 * Throws TypeError for a URL that is no WebSocket's: a browser cannot listen.
 */
export function ws(to: string | URL): Transport {
  if (typeof to !== 'string' && !(to instanceof URL))
    throw new TypeError('ws: a browser can only dial, pass a URL')
  const url = new URL(to, globalThis.location?.href)
  if (url.protocol === 'http:') url.protocol = 'ws:'
  if (url.protocol === 'https:') url.protocol = 'wss:'
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    throw new TypeError('ws: the URL must begin with ws:// or wss://')
  return {
    name: url.protocol.slice(0, -1),
    target: `${url.protocol}//${url.host}${url.pathname}`,
    dial: (options) => dialBrowserWebSocket(url, options),
  }
}
