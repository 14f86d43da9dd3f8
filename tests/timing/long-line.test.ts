// Bulk over a long line: 100 Mbit/s, 200 ms there and back. Windows have to grow to 5 MiB for it, and
// the ring of 4 MiB must let them.

import { createClient } from '@callbox/client'
import { Bytes, clientStream, contract, serverStream, unary } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { createFaultProxy } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
const KiB = 1024
const bitsPerSecond = 100_000_000
const line = { delayMs: 100, bitsPerSecond }
/** When the share of the line is judged, and for how long. */
const [judgeFromMs, judgeMs] = [3_000, 2_000]

const long = contract('long', {
  ping: unary({}),
  up: clientStream({ input: Bytes(), output: T.Integer() }),
  down: serverStream({ output: Bytes() }),
})
const item = new Uint8Array(64 * KiB - 8)

/** Share of the line that items took between 3 s and 5 s, in the direction `way`. */
async function measure(name: 'tcp' | 'ws', way: 'up' | 'down'): Promise<number> {
  const from = performance.now()
  let judged = 0
  const count = (bytes: Uint8Array): boolean => {
    const at = performance.now() - from
    if (at >= judgeFromMs && at < judgeFromMs + judgeMs) judged += bytes.length
    return at < judgeFromMs + judgeMs
  }
  const service = implement(long, {
    ping: () => undefined,
    up: async (_, { input }) => {
      for await (const bytes of input) if (!count(bytes)) break
      return 0
    },
    down: async function* () {
      while (true) yield item
    },
  })
  const server = createServer({ services: [service], logger: silent, limits: unhurried })
  const { port } = await server.listen(
    name === 'tcp' ? tcp({ host, port: 0 }) : ws({ host, port: 0 }),
  )
  const proxy = await createFaultProxy({ target: { host, port }, up: line, down: line })
  const to = proxy.port
  const client = createClient(
    { long },
    name === 'tcp' ? tcp({ host, port: to }) : ws(`ws://${host}:${to}`),
  )
  async function* upload(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    while (true) yield item
  }
  try {
    if (way === 'up') await client.long.up(upload())
    else for await (const bytes of client.long.down()) if (!count(bytes)) break
    return (judged * 8 * 1_000) / judgeMs / bitsPerSecond
  } finally {
    await client.close()
    await proxy.close()
    await server.close({ graceMs: 0 })
  }
}

test.each([
  ['tcp', 'up'],
  ['tcp', 'down'],
  ['ws', 'up'],
  ['ws', 'down'],
] as const)('over %s, %s: 80 %% of the line within 3 s [case C82]', async (name, way) => {
  const shares: number[] = []
  // Best of three: other work on the machine must not decide.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const share = await measure(name, way)
    shares.push(share)
    if (share >= 0.8) return
  }
  expect(shares).toEqual([])
})
