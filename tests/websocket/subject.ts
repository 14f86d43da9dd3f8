// What is tested: echo ends of `@callbox/transport-ws/raw`, in this process, one for each profile.
//   in  -> a profile
//   out -> an HTTP server that upgrades, or a client that dials; and what their applications are told

import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { deflate } from '@callbox/transport-ws/deflate'
import {
  acceptWebSocket,
  connectWebSocket,
  type AcceptWebSocketOptions,
  type ConnectWebSocketOptions,
  type RawWebSocket,
} from '@callbox/transport-ws/raw'
import type { Profile, Told } from './case.ts'
import { limits } from './families/limits.ts'
import { spoken } from './families/negotiation-server.ts'

interface Settings {
  readonly server: AcceptWebSocketOptions
  readonly client: ConnectWebSocketOptions
}

/** A close that waits for its timeout has failed its case by then. */
const roomy = { maxMessage: 64 * 1024 * 1024, maxFragments: 1_000_000, closeTimeoutMs: 60_000 }
const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true }
const smallWindows = { serverMaxWindowBits: 10, clientMaxWindowBits: 11 }

function same(options: AcceptWebSocketOptions & ConnectWebSocketOptions): Settings {
  return { server: options, client: options }
}

/** Everything is compressed, be it as small as it may: it is compression that is tested. */
const compressing = (more: Parameters<typeof deflate>[0] = {}) => ({
  ...roomy,
  extensions: [deflate({ threshold: 0, ...more })],
})

const profiles: Readonly<Record<Profile, Settings>> = {
  echo: same(compressing()),
  plain: same(roomy),
  limited: same({ ...compressing(), ...limits }),
  subprotocols: same({ ...roomy, subprotocols: spoken }),
  required: {
    server: { ...roomy, subprotocols: spoken, requireSubprotocol: true },
    client: { ...roomy, subprotocols: spoken },
  },
  sameHost: same(roomy),
  origins: {
    server: { ...roomy, allowedOrigins: ['https://app.example.com', 'http://localhost:5173'] },
    client: roomy,
  },
  anyOrigin: { server: { ...roomy, allowedOrigins: '*' }, client: roomy },
  anyOriginDeflate: { server: { ...compressing(), allowedOrigins: '*' }, client: roomy },
  commands: same(roomy),
  impatient: same({ ...roomy, closeTimeoutMs: 50 }),
  noTakeover: same(compressing(noTakeover)),
  smallWindows: same(compressing(smallWindows)),
}

export const profileNames = Object.keys(profiles) as readonly Profile[]

/** Echoes, or does what a message says in the profiles whose applications close. */
function serve(socket: RawWebSocket, profile: Profile, told: (told: Told) => void): void {
  const obeys = profile === 'commands' || profile === 'impatient'
  socket.open({
    onMessage: (message) => {
      if (obeys && typeof message === 'string' && obey(socket, message)) return
      if (!socket.send(message)) socket.pause()
    },
    onDrain: () => socket.resume(),
    onClose: ({ code, reason, wasClean }) => told({ code, reason, wasClean }),
  })
}

function obey(socket: RawWebSocket, message: string): boolean {
  if (message === 'abort') {
    socket.abort()
    return true
  }
  const [, code, reason] = /^close (\d+) ?(.*)$/s.exec(message) ?? []
  if (code === undefined) return false
  void socket.close(Number(code), reason)
  return true
}

export interface SubjectServer {
  readonly server: http.Server
  readonly port: number
  /** What the application of a connection is told, by the port of its client. */
  readonly told: (remotePort: number) => Promise<Told>
  close(): Promise<void>
}

export async function startServer(profile: Profile): Promise<SubjectServer> {
  // A port may be used again: what counts is the newest connection from it.
  const closings = new Map<number, PromiseWithResolver>()
  // A request that is no upgrade does not get as far as the transport.
  const server = http.createServer((_, response) => {
    response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' }).end('no upgrade\n')
  })
  server.on('upgrade', (request, socket, head) => {
    const { remotePort } = socket as unknown as { readonly remotePort: number }
    const accepted = acceptWebSocket(request, socket, head, profiles[profile].server)
    if (accepted === undefined) return
    const closing = withResolver()
    closings.set(remotePort, closing)
    serve(accepted, profile, closing.resolve)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    server,
    port: (server.address() as AddressInfo).port,
    told: (port) => closings.get(port)?.promise ?? Promise.reject(new Error('not accepted')),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export interface SubjectClient {
  readonly protocol: string
  readonly told: Promise<Told>
}

/** Rejects as `connectWebSocket` does. */
export async function startClient(
  url: string,
  profile: Profile,
  agent?: http.Agent,
): Promise<SubjectClient> {
  const own = agent === undefined ? {} : { agent }
  const socket = await connectWebSocket(url, { ...profiles[profile].client, ...own })
  const { promise, resolve } = withResolver()
  serve(socket, profile, resolve)
  return { protocol: socket.protocol, told: promise }
}

interface PromiseWithResolver {
  readonly promise: Promise<Told>
  readonly resolve: (told: Told) => void
}

function withResolver(): PromiseWithResolver {
  let resolve: (told: Told) => void = () => undefined
  const promise = new Promise<Told>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
