// Serves the shared cases over TCP and WebSocket in a process of its own, until its input ends.
//   in  -> ports, 0 for any, and limits: `<tcp> <ws> [JSON]`
//   out -> one line of JSON with the ports; for each line of input what it holds, and the limits that were hit

import { createInterface } from 'node:readline'
import type { Limits } from '@callbox/core'
import { createServer, implement, MetricsRegistry, silent } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { conf, handlers } from '@callbox/testing/conformance'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
const [tcpPort = 0, wsPort = 0] = process.argv.slice(2, 4).map(Number)
const own = JSON.parse(process.argv[4] ?? '{}') as Partial<Limits>
const metrics = new MetricsRegistry()
const server = createServer({
  metrics,
  services: [implement(conf, handlers())],
  logger: silent,
  limits:
    own.processBudget === undefined
      ? { preset: 'internal', ...unhurried }
      : { ...unhurried, ...own },
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
    const { connections, processBytes } = server.inspect()
    const { rss } = process.memoryUsage()
    const report = { connections: connections.length, processBytes, rss }
    console.log(JSON.stringify({ ...report, hits: Object.fromEntries(hits) }))
  })
  .on('close', () => void server.close({ graceMs: 0 }))
