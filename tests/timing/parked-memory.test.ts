// What sessions cost that wait for a link: bytes that count, and memory that does not.

import { VirtualClock } from '@callbox/testing'
import { rawRequest } from '@callbox/testing/node'
import { expect, test } from 'vitest'
import { Cuttable } from '../resume/cuttable.ts'
import { RawLink } from '../resume/raw-link.ts'
import { serverOf } from '../resume/world.ts'
import { faultSizes } from '../sizes.ts'

const KiB = 1024
const MiB = 1024 * KiB

function heapUsed(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed: heap, arrayBuffers } = process.memoryUsage()
  return heap + arrayBuffers
}

interface Crowd {
  readonly transport: Cuttable
  readonly clock: VirtualClock
  /** A client that connects, provokes an answer of so many bytes, and is gone. */
  drop(bytes: number): Promise<void>
  parkedBytes(): { readonly sessions: number; readonly bytes: number }
  close(): Promise<void>
}

async function crowd(): Promise<Crowd> {
  const clock = new VirtualClock()
  const transport = new Cuttable()
  const limits = { maxConnections: 100_000 }
  const server = serverOf(clock, { push: () => 0 } as unknown as string[], undefined, {
    server: { limits },
  })
  await server.listen(transport)
  return {
    transport,
    clock,
    drop: async (bytes) => {
      const raw = await RawLink.connect(transport)
      raw.hello()
      raw.send(rawRequest({ id: 1, method: 'world.echo', value: 'x'.repeat(bytes) }))
      await clock.settle()
      raw.abort()
      // What a test remembers of a link is not what a session costs.
      transport.lines.length = 0
    },
    parkedBytes: () => {
      const all = server.inspect().connections
      return {
        sessions: all.length,
        bytes: all.reduce((sum, each) => sum + each.bytes.ring + each.bytes.waiting, 0),
      }
    },
    close: async () => {
      const closing = server.close({ graceMs: 0 })
      await clock.advance(2_000)
      await closing
    },
  }
}

test('sessions that were left with one frame each: what each costs [threat R5]', async () => {
  const { drop, parkedBytes, close } = await crowd()
  for (let n = 0; n < 100; n += 1) await drop(1)
  const before = heapUsed()
  for (let n = 0; n < faultSizes.idleSessions; n += 1) await drop(1)
  const each = (heapUsed() - before) / faultSizes.idleSessions
  expect(parkedBytes().sessions).toBe(faultSizes.idleSessions + 100)
  process.stdout.write(
    `${faultSizes.idleSessions} parked sessions of one frame: ${(each / KiB).toFixed(1)} KiB each\n`,
  )
  // Seen: 16 to 25 KiB with its connection's tables. A window or a slab that is kept would be found.
  expect(each).toBeLessThan(48 * KiB)
  await close()
})

test('sessions that were left with much: never more than the budget, the rest is told [threat R5]', async () => {
  const { drop, parkedBytes, close } = await crowd()
  // 90 MB altogether.
  for (let n = 0; n < 1_500; n += 1) await drop(60_000)
  const { sessions, bytes } = parkedBytes()
  expect(bytes).toBeLessThanOrEqual(64 * MiB)
  expect(bytes).toBeGreaterThan(60 * MiB)
  expect(sessions).toBeLessThan(1_500)
  await close()
})
