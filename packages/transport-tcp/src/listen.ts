// Accepts.
//   in  -> an address, limits
//   out -> links; where it listens

import type { Listener, ListenOptions } from '@callbox/core/internal'
import { chmod, stat, unlink } from 'node:fs/promises'
import * as net from 'node:net'
import * as nodeTls from 'node:tls'
import { defined, type Address, type UnixOptions } from './address.ts'
import { SocketLink } from './link.ts'
import { peerOf } from './peer.ts'

export async function listenSocket(address: Address, options: ListenOptions): Promise<Listener> {
  if (address.kind === 'unix') await removeStale(address.path)
  const server = createServer(address, options)
  server.maxConnections = options.maxConnections
  server.on('drop', () =>
    options.onError(new Error(`over maxConnections (${options.maxConnections})`)),
  )
  await listening(server, address)
  server.on('error', (error) => options.onError(error))
  if (address.kind === 'unix') await chmod(address.path, address.mode ?? 0o600)
  const bound = server.address()
  let closing: Promise<void> | undefined
  return {
    address: typeof bound === 'string' ? bound : (bound?.address ?? ''),
    port: typeof bound === 'string' ? 0 : (bound?.port ?? 0),
    close: () => (closing ??= closeListener(server)),
  }
}

function createServer(address: Address, options: ListenOptions): net.Server {
  const accept = (socket: net.Socket): void =>
    options.onLink(new SocketLink(socket, peerOf(socket, address.kind), options.maxFrame))
  if (address.kind !== 'tls') return net.createServer({ allowHalfOpen: true }, accept)
  const { ca, cert, key, passphrase, pfx, requestCert, rejectUnauthorized } = address
  const server = nodeTls.createServer(
    {
      ...defined({ ca, cert, key, passphrase, pfx, requestCert, rejectUnauthorized }),
      allowHalfOpen: true,
      handshakeTimeout: options.handshakeMs,
    } as nodeTls.TlsOptions,
    accept,
  )
  server.on('tlsClientError', (error, socket) => {
    // node:tls leaves the socket open, also when the handshake has run out of time.
    socket.destroy()
    options.onError(error)
  })
  return server
}

function listening(server: net.Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.kind === 'unix' ? { path: address.path } : bindTo(address), () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function bindTo({ host, port }: { host?: string | undefined; port: number }): net.ListenOptions {
  return host === undefined ? { port } : { host, port }
}

/** Settles when nothing is accepted any more. Node would wait for every open connection as well. */
function closeListener(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => undefined)
    // The handle is closed at the end of this turn of the event loop.
    setImmediate(resolve)
  })
}

/** A socket file that nobody listens on is left over from a process that was killed. */
async function removeStale(path: UnixOptions['path']): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || !found.isSocket()) return
  if (!(await answers(path))) await unlink(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}
