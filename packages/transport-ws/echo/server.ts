// A WebSocket server that sends every message back, for test suites.
//   in  -> options of the command line
//   out -> `listening on ws://host:port`, then echoes until SIGINT or SIGTERM

import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { deflate } from '@callbox/transport-ws/deflate'
import { acceptWebSocket, refuseWebSocket, type RawWebSocket } from '@callbox/transport-ws/raw'
import { defaultMaxMessage, largestMessage, numberOf, quit, readArguments } from './arguments.ts'

const help = `Sends every WebSocket message back.

  --port N              port to listen on, 0 for any free one (default 0)
  --host H              address to listen on (default 127.0.0.1)
  --max-message BYTES   largest message (default ${defaultMaxMessage})
  --subprotocol NAME    a subprotocol that is spoken; may be given several times
  --allowed-origin O    an origin that may connect; may be given several times (default: all)
  --no-deflate          do not offer permessage-deflate
  --help                this text

Takes 1,000 connections and messages of any number of fragments. SIGINT and SIGTERM close them.
`

const maxConnections = 1_000

const values = readArguments(
  {
    'port': { type: 'string' },
    'host': { type: 'string' },
    'max-message': { type: 'string' },
    'subprotocol': { type: 'string', multiple: true },
    'allowed-origin': { type: 'string', multiple: true },
    'no-deflate': { type: 'boolean' },
  },
  help,
)
const port = numberOf('port', values.port, 0, 65_535) ?? 0
const host = values.host ?? '127.0.0.1'
const maxMessage =
  numberOf('max-message', values['max-message'], 0, largestMessage) ?? defaultMaxMessage
const options = {
  maxMessage,
  maxFragments: Infinity,
  maxUnsent: Infinity,
  closeTimeoutMs: 2_000,
  subprotocols: values.subprotocol ?? [],
  allowedOrigins: values['allowed-origin'] ?? ('*' as const),
  extensions: values['no-deflate'] === true ? [] : [deflate()],
}

const open = new Set<RawWebSocket>()
const server = http.createServer({ maxHeaderSize: 16 * 1024 }, (request, response) => {
  response.writeHead(request.headers.upgrade === undefined ? 426 : 400, {
    Connection: 'close',
    Upgrade: 'websocket',
  })
  response.end('this is a WebSocket endpoint\n')
})
server.on('upgrade', accept)
server.on('error', (error) => quit(`${error.message}\n`))
server.listen(port, host, () => {
  const { address, family, port: bound } = server.address() as AddressInfo
  const name = family === 'IPv6' ? `[${address}]` : address
  process.stdout.write(`listening on ws://${name}:${bound}\n`)
})

function accept(request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
  if (open.size >= maxConnections) return refuseWebSocket(socket, 503, 'too many connections')
  const ws = acceptWebSocket(request, socket, head, options)
  if (ws === undefined) return
  open.add(ws)
  ws.open({
    onMessage: (message) => {
      // What the peer does not take is not read from it either.
      if (!ws.send(message)) ws.pause()
    },
    onDrain: () => ws.resume(),
    onClose: () => open.delete(ws),
  })
}

let stopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())

async function stop(): Promise<void> {
  // Asked twice: at once.
  if (stopping) process.exit(1)
  stopping = true
  server.close()
  server.closeAllConnections()
  await Promise.all([...open].map((ws) => ws.close(1001)))
  process.exit(0)
}
