// Accepts WebSockets on Deno: `Deno.serve` and `Deno.upgradeWebSocket`.
//   in  -> upgrade requests
//   out -> links; refusals in the words of HTTP

import type { Listener, ListenOptions } from '@callbox/core/internal'
import { admit, secureFrom, type WebRequest } from './fetch-upgrade.ts'
import { MessageLink, type WebSocketLike } from './message-link.ts'
import type { WsListenOptions } from './options.ts'
import { subprotocol } from './subprotocol.ts'

/** The part of Deno that is used. */
interface DenoHost {
  serve(
    options: {
      readonly port: number
      readonly hostname?: string
      readonly cert?: string
      readonly key?: string
      onListen(address: { readonly hostname: string; readonly port: number }): void
      onError(error: unknown): Response
    },
    handler: (
      request: WebRequest,
      info: { readonly remoteAddr: { readonly hostname: string; readonly port: number } },
    ) => Response,
  ): { shutdown(): Promise<void>; readonly finished: Promise<void> }
  upgradeWebSocket(
    request: WebRequest,
    options: { readonly protocol: string; readonly idleTimeout: number },
  ): { readonly socket: WebSocketLike; readonly response: Response }
}

export function listenDeno(own: WsListenOptions, options: ListenOptions): Promise<Listener> {
  // Only this file is read on Deno, and Deno has it.
  const host = (globalThis as unknown as { readonly Deno: DenoHost }).Deno
  const secure = secureFrom(own)
  const links = new Set<MessageLink>()
  let accepting = true
  return new Promise((resolve) => {
    // A server of Deno that shuts down is deaf on what it has accepted: the port is free when the
    // last link is gone.
    const shutDown = (): Promise<void> => server.shutdown()
    const handler = (
      request: WebRequest,
      info: { readonly remoteAddr: { readonly hostname: string; readonly port: number } },
    ): Response => {
      const { hostname: remoteAddress, port: remotePort } = info.remoteAddr
      const terms = { own, options, open: links.size, accepting, remoteAddress, remotePort, secure }
      const admitted = admit(request, terms)
      if (admitted instanceof Response) return admitted
      // Callbox has its own signs of life.
      const { socket, response } = host.upgradeWebSocket(request, {
        protocol: subprotocol,
        idleTimeout: 0,
      })
      socket.binaryType = 'arraybuffer'
      socket.onerror = () => undefined
      socket.onopen = () => {
        const { maxFrame } = options
        const link = new MessageLink({ socket, peer: admitted, maxFrame, role: 'server' })
        links.add(link)
        void link.whenClosed.then(() => {
          links.delete(link)
          if (!accepting && links.size === 0) void shutDown()
        })
        options.onLink(link)
      }
      return response
    }
    const server = host.serve(
      {
        port: own.port,
        ...(own.host === undefined ? {} : { hostname: own.host }),
        ...secure,
        onListen: ({ hostname, port }) =>
          resolve({
            address: hostname,
            port,
            close: () => {
              accepting = false
              if (links.size === 0) return shutDown()
              return Promise.resolve()
            },
          }),
        onError: (error) => {
          options.onError(error)
          return new Response('internal error\n', { status: 500 })
        },
      },
      handler,
    )
  })
}
