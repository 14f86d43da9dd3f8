// The wall clock may jump: nothing here reads it.

import { createClient } from '@callbox/client'
import { contract, unary } from '@callbox/core'
import { createServer, implement, MetricsRegistry, silent } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { afterEach, expect, test, vi } from 'vitest'

const host = '127.0.0.1'
const hourMs = 3_600_000
afterEach(() => vi.useRealTimers())

test('an hour forward, two hours back: no timeout fires, no connection ends [threat X9]', async () => {
  const desk = contract('desk', { hang: unary({}), nothing: unary({}) })
  let release: () => void = () => undefined
  const hang = (): Promise<void> => new Promise((resolve) => (release = resolve))
  const metrics = new MetricsRegistry()
  const service = implement(desk, { hang, nothing: () => undefined })
  const server = createServer({ services: [service], logger: silent, metrics })
  const { port } = await server.listen(tcp({ host, port: 0 }))
  const client = createClient({ desk }, tcp({ host, port }))
  const call = client.desk.hang(undefined, { timeoutMs: 60_000 })
  await client.desk.nothing()
  vi.useFakeTimers({ toFake: ['Date'] })
  for (const jump of [hourMs, -2 * hourMs]) {
    vi.setSystemTime(Date.now() + jump)
    // Longer than a tick of every timer there is, and through both sockets.
    for (let round = 0; round < 20; round += 1) {
      await client.desk.nothing()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(client.state).toBe('connected')
  }
  release()
  await call
  expect(metrics.snapshot().counters).toMatchObject({ 'connections_opened{tcp}': 1 })
  expect(metrics.counter('connections_closed', 'session_lost')).toBe(0)
  await client.close()
  await server.close({ graceMs: 0 })
})
