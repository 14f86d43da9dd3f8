// The whole lobby in one process: the page and WebSocket on one port, TCP for bots on another.
//   in  -> where to listen
//   out -> a running lobby with its addresses, and `close`
// One service, one Callbox server, two transports.

import { randomBytes } from 'node:crypto'
import { type Server as HttpServer, createServer as createHttpServer } from 'node:http'
import { createServer } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { Bots } from './bots.ts'
import { authenticateWith } from './context.ts'
import { lobbyService } from './lobby-service.ts'
import { servePages } from './pages.ts'
import { askForRematch } from './rematch.ts'
import { Rooms } from './rooms.ts'
import { ticksPerSecond } from './rules.ts'
import { startTicker } from './ticker.ts'

/** Path of the WebSocket endpoint. */
export const rpcPath = '/rpc'
const botHost = '127.0.0.1'
/** Ports that are tried, beginning at the one asked for. */
const triedPorts = 20

export interface LobbyOptions {
  readonly host: string
  /** The next free port is taken if this one is not; 0 for any. */
  readonly port: number
  /** Folder of the built page. */
  readonly pages: string
}

export interface RunningLobby {
  /** Of the page: `http://127.0.0.1:8080/`. */
  readonly url: string
  readonly wsUrl: string
  readonly port: number
  /** Bots connect to this port of 127.0.0.1. */
  readonly botPort: number
  readonly botHost: string
  /** Takes no more connections, gives calls a second to end, frees the ports. Idempotent. */
  close(): Promise<void>
}

/** Rejects when no port can be had; then nothing is left open. */
export async function startLobby(options: LobbyOptions): Promise<RunningLobby> {
  const rooms = new Rooms({
    newId: () => randomBytes(4).toString('hex'),
    onOver: (room) => void askForRematch(room),
  })
  const http = createHttpServer(await servePages(options.pages))
  const bots = new Bots(() => tcp({ host: botHost, port: botListener.port }))
  const server = createServer({
    services: [lobbyService({ rooms, sendBot: (room) => bots.send(room) })],
    authenticate: authenticateWith(rooms.players),
    limits: { preset: 'game', sessionGraceMs: 30_000 },
  })
  const port = await listenOnFreePort(http, options)
  await server.listen(ws({ server: http, path: rpcPath }))
  const botListener = await server.listen(tcp({ host: botHost, port: 0 }))

  // Started here, outside of every call: what a tick does has nobody's deadline.
  const stopTicker = startTicker(() => rooms.tick(), ticksPerSecond)

  const name = urlHost(options.host)
  let closing: Promise<void> | undefined
  return {
    url: `http://${name}:${port}/`,
    wsUrl: `ws://${name}:${port}${rpcPath}`,
    port,
    botPort: botListener.port,
    botHost,
    close: () =>
      (closing ??= (async () => {
        stopTicker()
        await bots.close()
        await server.close({ graceMs: 1_000 })
        http.closeAllConnections()
        await new Promise<void>((resolve) => http.close(() => resolve()))
      })()),
  }
}

/** What a person types: an address that means every interface is not one. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

async function listenOnFreePort(http: HttpServer, { host, port }: LobbyOptions): Promise<number> {
  for (let tried = port; ; tried++) {
    try {
      return await listen(http, host, tried)
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (!taken || tried >= port + triedPorts) throw error
    }
  }
}

function listen(http: HttpServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once('error', reject)
    http.listen({ host, port }, () => {
      http.off('error', reject)
      const address = http.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
