// Connects over WebSocket from Node.
//   in  -> a URL, a signal
//   out -> a link, or the cause why there is none

import type { DialOptions, Link } from '@callbox/core/internal'
import * as http from 'node:http'
import * as https from 'node:https'
import { WebSocketLink } from './link.ts'
import type { WsDialOptions } from './options.ts'
import { faultOf, newKey, subprotocol } from './upgrade.ts'

export function dialWebSocket(url: URL, own: WsDialOptions, options: DialOptions): Promise<Link> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    const reason = (): Error =>
      signal.reason instanceof Error ? signal.reason : new Error('aborted')
    if (signal.aborted) return reject(reason())
    const key = newKey()
    const request = requestOf(url, own, key)
    const onAbort = (): void => void request.destroy(reason())
    const leave = (): void => signal.removeEventListener('abort', onAbort)
    signal.addEventListener('abort', onAbort)
    request.on('error', (error) => {
      leave()
      reject(error)
    })
    // No redirect is followed: the credential of HELLO is for this server only.
    request.on('response', (response) => {
      leave()
      request.destroy()
      reject(new Error(`the server answered ${response.statusCode ?? '?'} instead of 101`))
    })
    request.on('upgrade', (response, socket, head) => {
      leave()
      const fault = faultOf(response.headers, key)
      if (fault !== undefined) {
        socket.on('error', () => undefined)
        socket.destroy()
        return reject(new Error(fault))
      }
      socket.setNoDelay(true)
      const { remoteAddress, remotePort } = socket
      const peer = { transport: url.protocol.slice(0, -1), remoteAddress, remotePort }
      resolve(new WebSocketLink({ socket, role: 'client', peer, maxFrame: options.maxFrame, head }))
    })
    request.end()
  })
}

function requestOf(url: URL, own: WsDialOptions, key: string): http.ClientRequest {
  const { headers = {}, servername, ca, cert, key: privateKey, passphrase, pfx } = own
  const secure = url.protocol === 'wss:'
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key: privateKey, passphrase, pfx, servername }).filter(
      ([, value]) => value !== undefined,
    ),
  )
  return (secure ? https : http).request({
    ...(secure ? tls : {}),
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    // Each connection has a socket of its own.
    agent: false,
    headers: {
      ...headers,
      'Host': url.host,
      'Upgrade': 'websocket',
      'Connection': 'Upgrade',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
      'Sec-WebSocket-Protocol': subprotocol,
    },
  })
}
