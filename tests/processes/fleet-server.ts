// One server of a fleet, in a process of its own. SIGTERM ends it in order, the end of its input at once.
//   in  -> `FleetServerOptions` as JSON; `listen` where it waits, `memory` on its input
//   out -> lines of JSON: the port once it listens, `Memory` for each time it was asked

import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createServer, implement, silent } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { unhurried } from '../unhurried.ts'
import { fleet, type FleetServerOptions, type Memory } from './fleet.ts'

const options = JSON.parse(process.argv[2] ?? '') as FleetServerOptions
// On disk before the handler goes on: whatever kills the process, it is known what has run.
const writeDown = (text: string): void => appendFileSync(options.log, `${text}\n`)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const service = implement(fleet, {
  once: (text) => {
    writeDown(text)
    return text
  },
  slow: async (text) => {
    writeDown(text)
    await pause(100)
    return text
  },
  again: (text) => text,
  ticks: async function* (_, { signal }) {
    for (let n = 1; !signal.aborted; n += 1) {
      yield n
      await pause(20)
    }
  },
})

const server = createServer({
  services: [service],
  logger: silent,
  limits: { ...options.limits, ...unhurried },
})
function memory(): Memory {
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  return { rss, heapUsed, connections: server.inspect().connections.length }
}

async function listen(): Promise<void> {
  const { port } = await server.listen(tcp({ host: '127.0.0.1', port: options.port }))
  console.log(JSON.stringify({ port }))
}

const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  if (line === 'listen') void listen()
  else console.log(JSON.stringify(memory()))
})
input.on('close', () => void server.close({ graceMs: 0 }))
process.once('SIGTERM', () => {
  void server.close({ graceMs: 8_000, acceptMs: 1_000, spreadMs: 300 }).then(() => {
    input.close()
    process.stdin.destroy()
  })
})
if (options.waits === true) console.log(JSON.stringify({ waits: true }))
else await listen()
