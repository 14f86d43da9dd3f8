// Connects with the browser's own WebSocket.
//   in  -> a URL, a signal
//   out -> a link, or that there is none: a browser does not say why

import type { DialOptions, Link } from '@callbox/core/internal'
import { BrowserLink } from './link.browser.ts'

const subprotocol = 'callbox.v1'

export function dialBrowserWebSocket(url: URL, options: DialOptions): Promise<Link> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    const reason = (): Error =>
      signal.reason instanceof Error ? signal.reason : new Error('aborted')
    if (signal.aborted) return reject(reason())
    const socket = new WebSocket(url, subprotocol)
    socket.binaryType = 'arraybuffer'
    const leave = (): void => signal.removeEventListener('abort', onAbort)
    const onAbort = (): void => {
      leave()
      socket.onopen = socket.onclose = null
      socket.close()
      reject(reason())
    }
    signal.addEventListener('abort', onAbort)
    socket.onopen = () => {
      leave()
      resolve(new BrowserLink(socket, url.protocol.slice(0, -1), options.maxFrame))
    }
    socket.onclose = ({ code }) => {
      leave()
      reject(new Error(`the browser could not connect (close code ${code})`))
    }
  })
}
