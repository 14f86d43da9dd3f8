// Connects over WebSocket from Node.
//   in  -> a URL, a signal
//   out -> a link, or the cause why there is none

import type { DialOptions, Link } from '@callbox/core/internal'
import type { Socket } from 'node:net'
import { WebSocketLink } from './link.ts'
import type { WsDialOptions } from './options.ts'
import { upgrade } from './request.ts'
import { subprotocol } from './subprotocol.ts'

export async function dialWebSocket(
  url: URL,
  own: WsDialOptions,
  options: DialOptions,
): Promise<Link> {
  const { headers = {}, servername, ca, cert, key, passphrase, pfx } = own
  const { socket, head, answer } = await upgrade(
    {
      url,
      subprotocols: [subprotocol],
      extensions: '',
      headers,
      tls: { ca, cert, key, passphrase, pfx, servername },
    },
    options.signal,
  )
  const fault =
    answer.headers['sec-websocket-extensions'] !== undefined
      ? 'the server chose an extension that was not offered'
      : answer.headers['sec-websocket-protocol'] !== subprotocol
        ? `the server does not speak ${subprotocol}`
        : undefined
  if (fault !== undefined) {
    socket.destroy()
    throw new Error(fault)
  }
  const tcp = socket as Socket
  tcp.setNoDelay(true)
  const { remoteAddress, remotePort } = tcp
  const peer = { transport: url.protocol.slice(0, -1), remoteAddress, remotePort }
  return new WebSocketLink({ socket, role: 'client', peer, limits: options, head })
}
