// Accepts WebSockets: on a port of its own, or on somebody else's HTTP server at a path.
//   in  -> upgrade requests
//   out -> links; refusals in the words of HTTP

import {
  clockOf,
  Gate,
  type Entrance,
  type Listener,
  type ListenOptions,
  type Peer,
} from '@callbox/core/internal'
import * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { WebSocketLink } from './link.ts'
import type { WsAttachOptions, WsListenOptions } from './options.ts'
import { subprotocol } from './subprotocol.ts'
import { isLoopback, type OriginRule } from './origin.ts'
import {
  acceptance,
  maxHeaderBytes,
  refusalOf,
  refuse,
  type Refusal,
  type UpgradeTerms,
} from './upgrade.ts'

/** Who stands in front of the upgrade. Undefined: it has been refused. */
type Doorway = (socket: Socket) => Entrance | undefined

const crowded: Refusal = {
  status: 503,
  text: 'too many connections',
  // In seconds.
  headers: { 'Retry-After': '1' },
}

export async function listenWebSocket(
  own: WsListenOptions,
  options: ListenOptions,
): Promise<Listener> {
  const server = createServer(own, options)
  const gate = new Gate(options, clockOf(globalThis))
  const entrances = watchArrivals(server, gate)
  const detach = attach(server, own, options, (socket) => entrances.get(keyOf(socket)))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(
      own.host === undefined ? { port: own.port } : { host: own.host, port: own.port },
      () => {
        server.off('error', reject)
        resolve()
      },
    )
  })
  server.on('error', (error) => options.onError(error))
  let closing: Promise<void> | undefined
  return {
    ...addressOf(server),
    get arriving() {
      return gate.arriving
    },
    close: () =>
      (closing ??= new Promise((resolve) => {
        detach()
        server.close()
        // Only requests that are no upgrades: links live on.
        server.closeIdleConnections()
        setImmediate(resolve)
      })),
  }
}

function createServer(own: WsListenOptions, options: ListenOptions): http.Server {
  const settings = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: options.handshakeMs,
    requestTimeout: options.handshakeMs,
    connectionsCheckingInterval: Math.max(100, Math.floor(options.handshakeMs / 10)),
  }
  const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    // An upgrade that says so in only one of its two headers is no upgrade to Node.
    response.writeHead(request.headers.upgrade === undefined ? 426 : 400, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Upgrade': 'websocket',
      'Connection': 'close',
    })
    response.end('this is a WebSocket endpoint\n')
  }
  if (own.cert === undefined && own.pfx === undefined) return http.createServer(settings, answer)
  const { ca, cert, key, passphrase, pfx, requestCert, rejectUnauthorized } = own
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, passphrase, pfx, requestCert, rejectUnauthorized }).filter(
      ([, value]) => value !== undefined,
    ),
  )
  const server = https.createServer(
    { ...settings, ...tls, handshakeTimeout: options.handshakeMs },
    answer,
  )
  server.on('tlsClientError', (error) => options.onError(error))
  return server
}

/** Takes the upgrades of one path of a server that belongs to somebody else. */
export function attachWebSocket(own: WsAttachOptions, options: ListenOptions): Promise<Listener> {
  const gate = new Gate(options, clockOf(globalThis))
  const detach = attach(own.server, own, options, (socket) => {
    // How long it took to get here is up to whoever owns the server.
    const entrance = gate.enter(() => socket.destroy())
    if (entrance !== undefined) socket.once('close', entrance.leave)
    else refuse(socket, crowded)
    return entrance
  })
  return Promise.resolve({
    ...addressOf(own.server),
    close: () => {
      detach()
      return Promise.resolve()
    },
  })
}

/** How many Callbox endpoints a server has: the last one refuses what belongs to none. */
const endpoints = new WeakMap<http.Server, Set<string>>()

/** Counts what a server of our own accepts, from accept on: by the peer's address. */
function watchArrivals(server: http.Server, gate: Gate): ReadonlyMap<string, Entrance> {
  const entrances = new Map<string, Entrance>()
  const secure = server instanceof https.Server
  server.on('connection', (socket: Socket) => {
    const entrance = gate.enter(() => socket.destroy())
    if (entrance === undefined) {
      socket.on('error', () => undefined)
      // Inside TLS nothing can be said yet.
      if (secure) return void socket.resetAndDestroy()
      return refuse(socket, crowded)
    }
    // TLS hands out another socket than the one that was accepted.
    const peer = keyOf(socket)
    entrances.set(peer, entrance)
    socket.on('close', () => {
      entrance.leave()
      if (entrances.get(peer) === entrance) entrances.delete(peer)
    })
  })
  return entrances
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

function attach(
  server: http.Server,
  own: WsListenOptions | WsAttachOptions,
  options: ListenOptions,
  enter: Doorway,
): () => void {
  const { path = '/', origins = 'same-host', trustProxy = 0 } = own
  const paths = endpoints.get(server) ?? new Set<string>()
  endpoints.set(server, paths)
  if (paths.has(path)) throw new Error(`${path} is taken on this server`)
  paths.add(path)
  const onUpgrade = (request: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
    // A socket without an error listener ends the process.
    socket.on('error', () => undefined)
    if (pathOf(request) !== path) {
      const others = server.listenerCount('upgrade') > paths.size
      const ours = paths.has(pathOf(request))
      // Only the first of our endpoints answers for a path that nobody has.
      if (!others && !ours && path === paths.values().next().value)
        refuse(socket, { status: 404, text: 'no WebSocket here' })
      return
    }
    const refusal = refusalOf(request, termsOf(server, origins))
    if (refusal !== undefined) {
      options.onError(new Error(`upgrade refused: ${refusal.text}`))
      return refuse(socket, refusal)
    }
    const tcp = socket as Socket
    const entrance = enter(tcp)
    if (entrance === undefined) return
    socket.write(acceptance(request, subprotocol))
    tcp.setTimeout?.(0)
    tcp.setNoDelay?.(true)
    const peer = peerOf(request, tcp, trustProxy)
    const link = new WebSocketLink({ socket, role: 'server', peer, limits: options, head })
    options.onLink(link, entrance.pass())
  }
  server.on('upgrade', onUpgrade)
  return () => {
    server.off('upgrade', onUpgrade)
    paths.delete(path)
  }
}

function termsOf(server: http.Server, rule: OriginRule): UpgradeTerms {
  const bound = server.address()
  const address = bound === null || typeof bound === 'string' ? undefined : bound.address
  const secure = server instanceof https.Server
  return {
    subprotocols: [subprotocol],
    requireSubprotocol: true,
    origins: { rule, secure, loopback: isLoopback(address) },
  }
}

function pathOf(request: http.IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!
}

function peerOf(request: http.IncomingMessage, socket: Socket, trustProxy: number): Peer {
  const secure = 'encrypted' in socket
  const { origin } = request.headers
  const forwarded = forwardedFor(request, trustProxy)
  const remoteAddress = forwarded ?? socket.remoteAddress
  return {
    transport: secure ? 'wss' : 'ws',
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    ...(forwarded !== undefined || socket.remotePort === undefined
      ? {}
      : { remotePort: socket.remotePort }),
    ...(secure ? certificateOf(socket as TLSSocket) : {}),
    headers: request.headers,
    ...(origin === undefined ? {} : { origin }),
  }
}

/** Each proxy appends whom it saw: with n of them the n-th from the end is the client. */
function forwardedFor(request: http.IncomingMessage, trustProxy: number): string | undefined {
  if (trustProxy < 1) return undefined
  const header = request.headers['x-forwarded-for']
  const list = (Array.isArray(header) ? header.join() : (header ?? ''))
    .split(',')
    .map((entry) => entry.trim())
  const address = list.at(-trustProxy)
  return address === '' ? undefined : address
}

function certificateOf(socket: TLSSocket): { readonly certificate?: unknown } {
  if (!socket.authorized) return {}
  const certificate = socket.getPeerCertificate()
  return Object.keys(certificate ?? {}).length === 0 ? {} : { certificate }
}

function addressOf(server: http.Server): { readonly address: string; readonly port: number } {
  const bound = server.address()
  if (bound === null) return { address: '', port: 0 }
  return typeof bound === 'string'
    ? { address: bound, port: 0 }
    : { address: bound.address, port: bound.port }
}
