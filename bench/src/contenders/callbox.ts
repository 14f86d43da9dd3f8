// Callbox with what a user gets without options: validation, deadlines, flow control, session, the
// compact codec; and the same with msgpack, by which one side's word the other has to do without.

import { createClient } from '@callbox/client'
import { contract, serverStream, unary } from '@callbox/core'
import { createServer, implement, type Transport } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import * as T from 'typebox'
import type { Contender } from '../contender.ts'
import { Message } from '../contract.ts'
import { message } from '../workloads.ts'

const bench = contract('bench', {
  echo: unary({ input: Message, output: Message }),
  stream: serverStream({ input: T.Object({ items: T.Integer() }), output: Message }),
})

const service = implement(bench, {
  echo: (input) => input,
  stream: async function* ({ items }) {
    for (let n = 0; n < items; n += 1) yield message
  },
})

function callbox(
  name: string,
  listenOn: Transport,
  to: (port: number) => Transport,
  codecs?: readonly [],
): Contender {
  return {
    name,
    async serve() {
      // 1,024 in flight need as many slots; everything else is a preset's default.
      const server = createServer({ services: [service], limits: 'internal', codecs })
      return (await server.listen(listenOn)).port
    },
    async connect(port) {
      const client = createClient({ bench }, to(port), { limits: 'internal' })
      return {
        echo: (value) => client.bench.echo(value),
        async stream(items) {
          let count = 0
          for await (const _ of client.bench.stream({ items })) count += 1
          return count
        },
        close: () => client.close(),
      }
    },
  }
}

const host = '127.0.0.1'
const onTcp = tcp({ host, port: 0 })
const toTcp = (port: number): Transport => tcp({ host, port })
const onWs = ws({ host, port: 0 })
const toWs = (port: number): Transport => ws(`ws://${host}:${port}/`)

export const callboxTcp = callbox('callbox-tcp', onTcp, toTcp)
export const callboxTcpMsgpack = callbox('callbox-tcp-msgpack', onTcp, toTcp, [])
export const callboxWs = callbox('callbox-ws', onWs, toWs)
export const callboxWsMsgpack = callbox('callbox-ws-msgpack', onWs, toWs, [])
