// Serves the shared cases over TCP and WebSocket in a process of its own, until its input ends.
//   in  -> ports, 0 for any: `<tcp> <ws>`
//   out -> one line of JSON with the ports; for each line of input the limits that were hit

import { createInterface } from 'node:readline'
import { createServer, implement, MetricsRegistry, silent } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { conf, handlers } from '@callbox/testing/conformance'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
const [tcpPort = 0, wsPort = 0] = process.argv.slice(2).map(Number)
const metrics = new MetricsRegistry()
const server = createServer({
  metrics,
  services: [implement(conf, handlers())],
  logger: silent,
  limits: { preset: 'internal', ...unhurried },
})
const overTcp = await server.listen(tcp({ host, port: tcpPort }))
const overWs = await server.listen(ws({ host, port: wsPort }))
console.log(JSON.stringify({ tcp: overTcp.port, ws: overWs.port }))
// A line asks how often a limit was hit.
createInterface({ input: process.stdin })
  .on('line', () => {
    const { counters } = metrics.snapshot()
    const hits = Object.entries(counters).flatMap(([name, count]) => {
      const [, limit] = /^limit_hits\{(.*)\}$/.exec(name) ?? []
      return limit === undefined ? [] : [[limit, count] as const]
    })
    console.log(JSON.stringify(Object.fromEntries(hits)))
  })
  .on('close', () => void server.close({ graceMs: 0 }))
