// Who is at the other end of a socket.

import type { Peer } from '@callbox/core/internal'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

export function peerOf(socket: Socket, transport: string): Peer {
  const { remoteAddress, remotePort } = socket
  return {
    transport,
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    ...(remotePort === undefined ? {} : { remotePort }),
    ...certificateOf(socket),
  }
}

/** A certificate that was asked for and verified; any other is none. */
function certificateOf(socket: Socket): { readonly certificate?: unknown } {
  if (!('authorized' in socket)) return {}
  const secure = socket as TLSSocket
  if (!secure.authorized) return {}
  const certificate = secure.getPeerCertificate()
  return Object.keys(certificate ?? {}).length === 0 ? {} : { certificate }
}
