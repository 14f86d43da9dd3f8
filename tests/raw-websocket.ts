// WebSockets of the message-level API for tests, with a hand-written peer at the other end.
//   in  -> options; bytes to send
//   out -> servers, clients, what came; everything closed after each test

import { once } from 'node:events'
import * as http from 'node:http'
import * as net from 'node:net'
import { RawPeer, webSocketFrame } from '@callbox/testing/node'
import {
  acceptWebSocket,
  connectWebSocket,
  type AcceptWebSocketOptions,
  type ConnectWebSocketOptions,
  type RawWebSocket,
  type RawWebSocketClose,
} from '@callbox/transport-ws/raw'
import { afterEach } from 'vitest'

const host = '127.0.0.1'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** Runs after the test, last added first. */
export function atEnd(close: () => unknown): void {
  closers.push(close)
}

/** A WebSocket with what it was told. */
export class Seen {
  readonly ws: RawWebSocket
  readonly messages: (string | Uint8Array)[] = []
  readonly pings: Uint8Array[] = []
  readonly pongs: Uint8Array[] = []
  drains = 0
  readonly closed: Promise<RawWebSocketClose>
  /** Asked for each message; may throw. */
  onMessage: (message: string | Uint8Array) => void = () => undefined
  private waiting: (() => void)[] = []
  private gone = false

  constructor(
    ws: RawWebSocket,
    onMessage?: (message: string | Uint8Array, ws: RawWebSocket) => void,
  ) {
    this.ws = ws
    if (onMessage !== undefined) this.onMessage = (message) => onMessage(message, ws)
    this.closed = new Promise((resolve) => {
      ws.open({
        onMessage: (message) => {
          this.messages.push(message)
          this.wake()
          this.onMessage(message)
        },
        onDrain: () => {
          this.drains += 1
          this.wake()
        },
        onPing: (payload) => void this.pings.push(payload),
        onPong: (payload) => {
          this.pongs.push(payload)
          this.wake()
        },
        onClose: (close) => {
          if (this.gone) throw new Error('closed twice')
          this.gone = true
          resolve(close)
          this.wake()
        },
      })
    })
  }

  /** Settles when `met` holds; rejects when the WebSocket is gone before. */
  until(met: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const ask = (): void => {
        if (met()) resolve()
        else if (this.gone) reject(new Error('the WebSocket is gone'))
        else this.waiting.push(ask)
      }
      ask()
    })
  }

  private wake(): void {
    for (const ask of this.waiting.splice(0)) ask()
  }
}

export interface Served {
  readonly port: number
  readonly sockets: Seen[]
  readonly refused: string[]
  /** The next WebSocket that is accepted. */
  next(): Promise<Seen>
}

/** A server on a free port. `onMessage` is called for every message of every WebSocket. */
export async function serve(
  options: AcceptWebSocketOptions = {},
  onMessage?: (message: string | Uint8Array, ws: RawWebSocket) => void,
): Promise<Served> {
  const server = http.createServer({ maxHeaderSize: 16 * 1024 })
  const sockets: Seen[] = []
  const refused: string[] = []
  const waiting: ((seen: Seen) => void)[] = []
  const all = { ...options, onRefused: (reason: string) => void refused.push(reason) }
  server.on('upgrade', (request, socket, head) => {
    const ws = acceptWebSocket(request, socket, head, all)
    if (ws === undefined) return
    const seen = new Seen(ws, onMessage)
    sockets.push(seen)
    waiting.shift()?.(seen)
  })
  server.listen(0, host)
  await once(server, 'listening')
  atEnd(() => {
    for (const { ws } of sockets) ws.abort()
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as net.AddressInfo
  return { port, sockets, refused, next: () => new Promise((resolve) => waiting.push(resolve)) }
}

/** A raw peer that has been upgraded, as a client, and the WebSocket that serves it. */
export async function served(
  options: AcceptWebSocketOptions = {},
  onMessage?: (message: string | Uint8Array, ws: RawWebSocket) => void,
  headers: Readonly<Record<string, string | undefined>> = {},
): Promise<{ readonly peer: RawPeer; readonly seen: Seen }> {
  const server = await serve(options, onMessage)
  const next = server.next()
  const peer = await RawPeer.connect({ host, port: server.port, ws: { path: '/', headers } })
  atEnd(() => peer.destroy())
  return { peer, seen: await next }
}

/** A client of ours. */
export async function connect(
  port: number,
  options: ConnectWebSocketOptions = {},
  onMessage?: (message: string | Uint8Array, ws: RawWebSocket) => void,
): Promise<Seen> {
  const ws = await connectWebSocket(`ws://${host}:${port}/`, options)
  atEnd(() => ws.abort())
  return new Seen(ws, onMessage)
}

/** A server of bytes alone: what it answers to an upgrade is up to the test. */
export async function stranger(
  answer: (request: string, socket: net.Socket) => void,
): Promise<{ readonly port: number; readonly requests: string[] }> {
  const requests: string[] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', (bytes: Buffer) => {
      requests.push(bytes.toString('latin1'))
      answer(bytes.toString('latin1'), socket)
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  atEnd(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as net.AddressInfo).port, requests }
}

/** A masked frame, as a client sends it. */
export function frame(
  opcode: number,
  payload: Uint8Array | string = '',
  options: { readonly fin?: boolean; readonly rsv?: number } = {},
): Uint8Array {
  return webSocketFrame(Buffer.from(payload), { masked: true, opcode, ...options })
}

/** The payload of a close frame. */
export function closePayload(code: number, reason = ''): Uint8Array {
  return Buffer.concat([Buffer.of(code >>> 8, code & 0xff), Buffer.from(reason)])
}

/** The code of the next close frame that a raw peer gets; it then sends no more. */
export async function closeCodeOf(peer: RawPeer): Promise<number> {
  for (;;) {
    const { opcode, payload } = await peer.nextControl()
    if (opcode !== 8) continue
    // In the next turn: a test may still answer.
    setImmediate(() => peer.socket.end())
    return payload.length === 0 ? 1005 : (payload[0]! << 8) | payload[1]!
  }
}
