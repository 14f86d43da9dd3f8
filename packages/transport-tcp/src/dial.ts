// Connects.
//   in  -> an address, a signal
//   out -> a link, or the cause why there is none

import type { AbortSignalLike, DialOptions, Link } from '@callbox/core/internal'
import * as net from 'node:net'
import * as nodeTls from 'node:tls'
import { defined, type Address } from './address.ts'
import { SocketLink } from './link.ts'
import { peerOf } from './peer.ts'

export function dialSocket(address: Address, options: DialOptions): Promise<Link> {
  return new Promise((resolve, reject) => {
    if (options.signal.aborted) return reject(abortReason(options.signal))
    const socket = connect(address)
    const ready = address.kind === 'tls' ? 'secureConnect' : 'connect'
    const leave = (): void => {
      socket.off('error', onError)
      options.signal.removeEventListener('abort', onAbort)
    }
    const onError = (error: Error): void => {
      leave()
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => onError(abortReason(options.signal))
    socket.once('error', onError)
    options.signal.addEventListener('abort', onAbort)
    socket.once(ready, () => {
      const link = new SocketLink(socket, peerOf(socket, address.kind), options)
      leave()
      resolve(link)
    })
  })
}

function connect(address: Address): net.Socket {
  if (address.kind === 'unix') return net.connect({ path: address.path, allowHalfOpen: true })
  const { host = 'localhost', port } = address
  if (address.kind === 'tcp') return net.connect({ host, port, allowHalfOpen: true })
  const { ca, cert, key, passphrase, pfx, servername = host } = address
  return nodeTls.connect({
    ...defined({ ca, cert, key, passphrase, pfx }),
    host,
    port,
    // An address is no name for SNI; the certificate is checked against it all the same.
    ...(net.isIP(servername) === 0 ? { servername } : {}),
    allowHalfOpen: true,
  } as nodeTls.ConnectionOptions)
}

function abortReason(signal: AbortSignalLike): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted')
}
