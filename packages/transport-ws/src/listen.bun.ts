// Accepts WebSockets on Bun: `Bun.serve` with its own upgrade.
//   in  -> upgrade requests
//   out -> links; refusals in the words of HTTP

import type { Listener, ListenOptions, Peer } from '@callbox/core/internal'
import { admit, secureFrom, type WebRequest } from './fetch-upgrade.ts'
import { MessageLink, type WebSocketLike } from './message-link.ts'
import type { WsListenOptions } from './options.ts'
import { subprotocol } from './subprotocol.ts'

/** What Bun keeps for each WebSocket. */
interface Kept {
  readonly peer: Peer
  socket: BunSocket | undefined
}

interface ServerWebSocket {
  readonly data: Kept
  readonly readyState: number
  sendBinary(message: Uint8Array): number
  getBufferedAmount(): number
  close(code?: number, reason?: string): void
  terminate(): void
}

interface BunServer {
  readonly port: number
  readonly hostname: string
  upgrade(request: WebRequest, options: { headers: Record<string, string>; data: Kept }): boolean
  requestIP(request: WebRequest): { readonly address: string; readonly port: number } | null
  stop(closeActive?: boolean): Promise<void>
}

/** The part of Bun that is used. */
interface BunHost {
  serve(options: {
    readonly port: number
    readonly hostname?: string
    readonly tls?: Record<string, string>
    fetch(request: WebRequest, server: BunServer): Response | undefined
    readonly websocket: {
      readonly maxPayloadLength: number
      readonly backpressureLimit: number
      readonly closeOnBackpressureLimit: boolean
      readonly idleTimeout: number
      readonly sendPings: boolean
      readonly perMessageDeflate: boolean
      open(socket: ServerWebSocket): void
      message(socket: ServerWebSocket, message: string | Uint8Array): void
      close(socket: ServerWebSocket, code: number): void
    }
  }): BunServer
}

/** Bun tells one object of all its WebSockets; this is one of them, as other runtimes have it. */
class BunSocket implements WebSocketLike {
  binaryType = 'arraybuffer'
  onopen: ((event: never) => unknown) | null = null
  onmessage: ((event: never) => unknown) | null = null
  onclose: ((event: never) => unknown) | null = null
  onerror: ((event: never) => unknown) | null = null
  private readonly inner: ServerWebSocket

  constructor(inner: ServerWebSocket) {
    this.inner = inner
  }

  get readyState(): number {
    return this.inner.readyState
  }

  get bufferedAmount(): number {
    return this.inner.getBufferedAmount()
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    this.inner.sendBinary(message)
  }

  close(code?: number, reason?: string): void {
    this.inner.close(code, reason)
  }

  /** Tells its link. */
  tell(event: 'onmessage' | 'onclose', what: object): void {
    // The handlers are the link's: they take what they are told here.
    ;(this[event] as ((event: object) => unknown) | null)?.(what)
  }
}

export function listenBun(own: WsListenOptions, options: ListenOptions): Promise<Listener> {
  // Only this file is read on Bun, and Bun has it.
  const host = (globalThis as unknown as { readonly Bun: BunHost }).Bun
  const secure = secureFrom(own)
  const links = new Set<MessageLink>()
  let accepting = true
  const server = host.serve({
    port: own.port,
    ...(own.host === undefined ? {} : { hostname: own.host }),
    ...(secure === undefined ? {} : { tls: secure }),
    fetch(request, from) {
      const remote = from.requestIP(request)
      const remoteAddress = remote?.address
      const remotePort = remote?.port
      const terms = { own, options, open: links.size, accepting, remoteAddress, remotePort, secure }
      const admitted = admit(request, terms)
      if (admitted instanceof Response) return admitted
      const headers = { 'Sec-WebSocket-Protocol': subprotocol }
      const data: Kept = { peer: admitted, socket: undefined }
      return from.upgrade(request, { headers, data })
        ? undefined
        : new Response('this is a WebSocket endpoint\n', { status: 400 })
    },
    websocket: {
      maxPayloadLength: options.maxFrame,
      // Core itself cuts who does not read, at `maxUnsent`.
      backpressureLimit: 2 ** 30,
      closeOnBackpressureLimit: false,
      // Callbox has its own signs of life.
      idleTimeout: 0,
      sendPings: false,
      perMessageDeflate: false,
      open(inner) {
        const socket = (inner.data.socket = new BunSocket(inner))
        const { peer } = inner.data
        const link = new MessageLink({ socket, peer, maxFrame: options.maxFrame, role: 'server' })
        links.add(link)
        void link.whenClosed.then(() => links.delete(link))
        options.onLink(link)
      },
      message(inner, message) {
        const data =
          typeof message === 'string'
            ? message
            : // A copy: Bun uses the memory again.
              new Uint8Array(message).buffer
        inner.data.socket?.tell('onmessage', { data })
      },
      close(inner, code) {
        inner.data.socket?.tell('onclose', { code, wasClean: code !== 1006 })
      },
    },
  })
  return Promise.resolve({
    address: server.hostname,
    port: server.port,
    close: () => {
      accepting = false
      void server.stop(false)
      return Promise.resolve()
    },
  })
}
