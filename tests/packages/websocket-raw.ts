import * as http from 'node:http'
import { deflate } from '@callbox/transport-ws/deflate'
import { acceptWebSocket, connectWebSocket } from '@callbox/transport-ws/raw'

/** Sends every message back. */
export function echoServer(): http.Server {
  const options = { maxMessage: 4 * 1024 * 1024, extensions: [deflate()] }
  const server = http.createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = acceptWebSocket(request, socket, head, options)
    // Undefined: it was refused, and has been answered.
    ws?.open({
      onMessage: (message) => {
        // What the peer does not take is not read from it either.
        if (!ws.send(message)) ws.pause()
      },
      onDrain: () => ws.resume(),
      onClose: () => undefined,
    })
  })
  return server
}

/** Sends one message and waits for one. */
export async function ask(url: string, message: string): Promise<string | Uint8Array> {
  const ws = await connectWebSocket(url, { extensions: [deflate()], timeoutMs: 5_000 })
  const answer = await new Promise<string | Uint8Array>((resolve, reject) => {
    ws.open({
      onMessage: resolve,
      onClose: ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)),
    })
    ws.send(message)
  })
  await ws.close()
  return answer
}
