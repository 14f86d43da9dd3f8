// Serves the shared cases over TCP and WebSocket in a process of its own, until its input ends.
//   in  -> ports, 0 for any: `<tcp> <ws>`
//   out -> one line of JSON with the ports

import { createServer, implement, silent } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { conf } from '../conformance/contract.ts'
import { handlers } from '../conformance/handlers.ts'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
const [tcpPort = 0, wsPort = 0] = process.argv.slice(2).map(Number)
const server = createServer({
  services: [implement(conf, handlers())],
  logger: silent,
  limits: { preset: 'internal', ...unhurried },
})
const overTcp = await server.listen(tcp({ host, port: tcpPort }))
const overWs = await server.listen(ws({ host, port: wsPort }))
console.log(JSON.stringify({ tcp: overTcp.port, ws: overWs.port }))
process.stdin.on('end', () => void server.close({ graceMs: 0 })).resume()
