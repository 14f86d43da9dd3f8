// Accepts.
//   in  -> an address, limits
//   out -> links; where it listens

import {
  clockOf,
  Gate,
  type Entrance,
  type Listener,
  type ListenOptions,
} from '@callbox/core/internal'
import { chmod, stat, unlink } from 'node:fs/promises'
import * as net from 'node:net'
import * as nodeTls from 'node:tls'
import { defined, type Address, type UnixOptions } from './address.ts'
import { SocketLink } from './link.ts'
import { peerOf } from './peer.ts'

export async function listenSocket(address: Address, options: ListenOptions): Promise<Listener> {
  if (address.kind === 'unix') await removeStale(address.path)
  const gate = new Gate(options, clockOf(globalThis))
  const server = createServer(address, options, gate)
  await listening(server, address)
  server.on('error', (error) => options.onError(error))
  if (address.kind === 'unix') await chmod(address.path, address.mode ?? 0o600)
  const bound = server.address()
  let closing: Promise<void> | undefined
  return {
    address: typeof bound === 'string' ? bound : (bound?.address ?? ''),
    port: typeof bound === 'string' ? 0 : (bound?.port ?? 0),
    get arriving() {
      return gate.arriving
    },
    close: () => (closing ??= closeListener(server)),
  }
}

function createServer(address: Address, options: ListenOptions, gate: Gate): net.Server {
  if (address.kind === 'tls') return createTlsServer(address, options, gate)
  return net.createServer({ allowHalfOpen: true }, (socket) => {
    const entrance = gate.enter(() => socket.destroy())
    if (entrance === undefined) return refuse(socket)
    socket.on('close', entrance.leave)
    const link = new SocketLink(socket, peerOf(socket, address.kind), options)
    options.onLink(link, entrance.pass())
  })
}

function createTlsServer(
  address: Extract<Address, { kind: 'tls' }>,
  options: ListenOptions,
  gate: Gate,
): net.Server {
  const { ca, cert, key, passphrase, pfx, requestCert, rejectUnauthorized } = address
  /** By the peer's address: the socket that TLS hands out is not the one that was accepted. */
  const entrances = new Map<string, Entrance>()
  const server = nodeTls.createServer(
    {
      ...defined({ ca, cert, key, passphrase, pfx, requestCert, rejectUnauthorized }),
      allowHalfOpen: true,
      handshakeTimeout: options.handshakeMs,
    } as nodeTls.TlsOptions,
    (socket) => {
      const entrance = entrances.get(keyOf(socket))
      // Gone already, or too late.
      if (entrance === undefined) return void socket.destroy()
      options.onLink(new SocketLink(socket, peerOf(socket, 'tls'), options), entrance.pass())
    },
  )
  server.on('connection', (socket: net.Socket) => {
    const entrance = gate.enter(() => socket.destroy())
    if (entrance === undefined) return refuse(socket)
    const peer = keyOf(socket)
    entrances.set(peer, entrance)
    socket.on('close', () => {
      entrance.leave()
      if (entrances.get(peer) === entrance) entrances.delete(peer)
    })
  })
  server.on('tlsClientError', (error, socket) => {
    // node:tls leaves the socket open, also when the handshake has run out of time.
    socket.destroy()
    options.onError(error)
  })
  return server
}

/** Before a byte of it is read: a reset, so that the peer knows at once. */
function refuse(socket: net.Socket): void {
  socket.on('error', () => undefined)
  if (socket.remotePort === undefined) socket.destroy()
  else socket.resetAndDestroy()
}

function keyOf({ remoteAddress, remotePort }: net.Socket): string {
  return `${remoteAddress} ${remotePort}`
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
