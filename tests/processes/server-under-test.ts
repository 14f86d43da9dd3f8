// The server under test: told by lines of JSON on its standard input.
//   in  -> `start`, `inspect`, `run`, `stop`, `problems`
//   out -> ports, snapshots, what a case says

import { createServer, implement, silent, type Connection, type Server } from '@callbox/server'
import type { Limits } from '@callbox/core'
import { conf, findCallCase, handlers, isAlive } from '@callbox/testing/conformance'
import { answerCommands } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
let server: Server | undefined
let newest: Connection | undefined

async function stop(): Promise<unknown> {
  await server?.close({ graceMs: 0 })
  const left = server?.inspect()
  server = undefined
  return left
}

answerCommands(
  {
    /** A new server of `conf` with these limits, on TCP and WebSocket. */
    async start({ limits }: { readonly limits?: Partial<Limits> }) {
      await stop()
      server = createServer({
        services: [implement(conf, handlers())],
        logger: silent,
        limits: { ...unhurried, sessionGraceMs: 0, ...limits },
        onConnection: (one) => {
          newest = one
        },
      })
      const overTcp = await server.listen(tcp({ host, port: 0 }))
      const overWs = await server.listen(ws({ host, port: 0 }))
      return { tcp: overTcp.port, ws: overWs.port }
    },
    inspect: () => server!.inspect(),
    /** A case whose caller is this server, on its newest connection. */
    async run({ title }: { readonly title: string }) {
      const caller = newest!.client(conf)
      await findCallCase(title).run(caller, { amount: 'light' })
      await isAlive(caller)
    },
    stop,
  },
  async () => void (await stop()),
)
