// The client under test: told by lines of JSON on its standard input.
//   in  -> `start`, `call`, `settlement`, `run`, `inspect`, `close`, `problems`
//   out -> snapshots, settlements, what a case says

import { createClient, type Client } from '@callbox/client'
import type { Limits } from '@callbox/core'
import { validate } from '@callbox/core/validate'
import {
  conf,
  findCallCase,
  handlers,
  isAlive,
  type StartedCall,
} from '@callbox/testing/conformance'
import { answerCommands, type Settlement } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { startCall } from '../conformance/start-call.ts'

const host = '127.0.0.1'
let client: Client<{ conf: typeof conf }> | undefined
let settlements = new Map<string, Promise<Settlement>>()

interface Start {
  readonly transport: 'tcp' | 'ws'
  readonly port: number
  readonly limits?: Partial<Limits>
  /** Whether it checks inputs and outputs itself, and serves `conf` to the server. */
  readonly serves?: boolean
}

answerCommands(
  {
    async start({ transport, port, limits, serves = false }: Start) {
      await client?.close()
      settlements = new Map()
      const to = transport === 'tcp' ? tcp({ host, port }) : ws(`ws://${host}:${port}/`)
      const options = serves ? { limits: { ...limits }, validate } : { limits: { ...limits } }
      client = createClient({ conf }, to, options)
      if (!serves) return
      client.handle(conf, handlers())
      await client.conf.nothing()
    },
    call: (call: StartedCall) => void settlements.set(call.name, startCall(client!.conf, call)),
    settlement: ({ name }: { readonly name: string }) => settlements.get(name),
    async run({ title }: { readonly title: string }) {
      await findCallCase(title).run(client!.conf, { amount: 'light' })
      await isAlive(client!.conf)
    },
    inspect: () => client!.inspect(),
    close: () => client!.close(),
  },
  async () => {
    await client?.close()
  },
)
