// A reader that stops: how far its generator runs ahead, and what that costs the process.

import { createClient } from '@callbox/client'
import type { Transport } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { expect, test } from 'vitest'
import { probe } from '../browser/contract.ts'
import { createProbe } from '../browser/service.ts'

/** 262,144 bytes of window, 100 of payload and 64 of cost an item. */
const mostAhead = Math.ceil(262_144 / 164)
const turns = 2_000

interface Case {
  readonly name: string
  readonly listenOn: Transport
  readonly to: (port: number) => Transport
}

const cases: readonly Case[] = [
  {
    name: 'TCP',
    listenOn: tcp({ host: '127.0.0.1', port: 0 }),
    to: (port) => tcp({ host: '127.0.0.1', port }),
  },
  {
    name: 'WebSocket',
    listenOn: ws({ host: '127.0.0.1', port: 0 }),
    to: (port) => ws(`ws://127.0.0.1:${port}/`),
  },
]

function usedBytes(): number {
  const { gc } = globalThis as { gc?: () => void }
  if (gc === undefined) throw new Error('run with --expose-gc')
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

test.each(cases)(
  '$name: at most 1,599 items ahead, for 2,000 turns, in less than 2 MiB',
  async ({ listenOn, to }) => {
    const server = createProbe()
    const { port } = await server.listen(listenOn)
    const client = createClient({ probe }, to(port))
    try {
      const id = 'flood'
      // Everything is compiled and pooled before the first measurement.
      for await (const item of client.probe.flood({ id: 'warm-up' })) if (item.length > 0) break
      const before = usedBytes()
      const items = client.probe.flood({ id })
      for (let n = 0; n < 10; n += 1) expect((await items.next()).done).toBe(false)
      let given = -1
      for (let quiet = 0; quiet < 20;) {
        await turn()
        const now = await client.probe.given({ id })
        quiet = now === given ? quiet + 1 : 0
        given = now
      }
      expect(given).toBeGreaterThan(1_000)
      expect(given - 10).toBeLessThanOrEqual(mostAhead)
      for (let n = 0; n < turns; n += 1) await turn()
      expect(await client.probe.given({ id })).toBe(given)
      expect(usedBytes() - before).toBeLessThan(2 * 1024 * 1024)
      items.cancel()
    } finally {
      await client.close()
      await server.close({ graceMs: 0 })
    }
  },
)
