// W11: bulk and small calls on one connection, over a line of 100 Mbit/s and 20 ms.

import { createClient } from '@callbox/client'
import { Bytes, clientStream, contract, unary } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { createFaultProxy } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
const MiB = 1024 * 1024
const bitsPerSecond = 100_000_000
const line = { delayMs: 10, bitsPerSecond }

const bulk = contract('bulk', {
  ping: unary({}),
  up: clientStream({ input: Bytes(), output: T.Integer() }),
})

interface Measured {
  readonly share: number
  readonly idleMs: number
  readonly p95Ms: number
}

/** Uploads `items` of `itemBytes`, with a small call every 50 ms. */
async function measure(name: 'tcp' | 'ws', items: number, itemBytes: number): Promise<Measured> {
  const service = implement(bulk, {
    ping: () => undefined,
    up: async (_, { input }) => {
      let size = 0
      for await (const bytes of input) size += bytes.length
      return size
    },
  })
  const server = createServer({ services: [service], logger: silent, limits: unhurried })
  const { port } = await server.listen(
    name === 'tcp' ? tcp({ host, port: 0 }) : ws({ host, port: 0 }),
  )
  const proxy = await createFaultProxy({ target: { host, port }, up: line, down: line })
  const to = proxy.port
  const client = createClient(
    { bulk },
    name === 'tcp' ? tcp({ host, port: to }) : ws(`ws://${host}:${to}`),
  )
  const timed = async (): Promise<number> => {
    const from = performance.now()
    await client.bulk.ping()
    return performance.now() - from
  }
  try {
    await client.bulk.ping()
    const idle: number[] = []
    for (let call = 0; call < 10; call += 1) idle.push(await timed())
    const item = new Uint8Array(itemBytes)
    async function* upload() {
      for (let n = 0; n < items; n += 1) yield item
    }
    const from = performance.now()
    const uploaded = client.bulk.up(upload())
    let over = false
    const settled = uploaded.then(() => (over = true))
    const small: number[] = []
    while (!over) {
      const pause = new Promise((resolve) => setTimeout(resolve, 50))
      small.push(await timed())
      await Promise.race([pause, settled])
    }
    expect(await uploaded).toBe(items * itemBytes)
    const seconds = (performance.now() - from) / 1_000
    const sorted = small.sort((a, b) => a - b)
    return {
      share: (items * itemBytes * 8) / seconds / bitsPerSecond,
      idleMs: idle.sort((a, b) => a - b)[5]!,
      p95Ms: sorted[Math.floor(sorted.length * 0.95)]!,
    }
  } finally {
    await client.close()
    await proxy.close()
    await server.close({ graceMs: 0 })
  }
}

const cases = [
  ['tcp', 12, MiB, 'W11 [case C82]'],
  ['ws', 12, MiB, 'W11 [case C82]'],
  ['tcp', 25, 4 * MiB - 64, 'large items [case C86]'],
  ['ws', 25, 4 * MiB - 64, 'large items [case C86]'],
] as const

/** What a small call may pay for the bulk beside it, in milliseconds. */
const boundMs = 50

test.each(cases)(
  'over %s, %i items of %i bytes: %s [threat S8]',
  { timeout: 120_000 },
  async (name, items, bytes) => {
    const tries: Measured[] = []
    // Best of three: other work on the machine must not decide.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const measured = await measure(name, items, bytes)
      tries.push(measured)
      if (isWithin(measured, boundMs)) return
    }
    const best = tries.toSorted((a, b) => a.p95Ms - b.p95Ms)[0]!
    process.stdout.write(`MISSED ${name}, ${items} items of ${bytes} bytes: ${told(best)}\n`)
    // A busy machine is late by itself: only four times the bound says that something is broken.
    expect(tries.filter((each) => isWithin(each, 4 * boundMs))).not.toEqual([])
  },
)

function isWithin({ share, idleMs, p95Ms }: Measured, ms: number): boolean {
  return share >= 0.9 && p95Ms <= idleMs + ms
}

function told({ share, idleMs, p95Ms }: Measured): string {
  const line = `${Math.round(share * 100)} % of the line`
  return `${line}, a small call ${p95Ms.toFixed(1)} ms, idle ${idleMs.toFixed(1)} + ${boundMs}`
}
