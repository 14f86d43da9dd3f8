// Limits of the client's own making, on the virtual clock.

import { contract, event, unary } from '@callbox/core'
import type { Transport } from '@callbox/core/internal'
import { createServer, implement, MetricsRegistry, silent } from '@callbox/server'
import { memory, VirtualClock } from '@callbox/testing'
import { RawServer, rawWelcome } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { createClient, safe } from './index.ts'

const desk = contract('desk', {
  ask: unary({ output: T.Integer() }),
  hang: unary({}),
  note: event({ input: T.Integer() }),
})

test('callTimeoutMs is the deadline of a call that states none', async () => {
  const clock = new VirtualClock()
  const client = createClient({ desk }, memory(), { clock, limits: { callTimeoutMs: 2_000 } })
  const call = safe(client.desk.ask())
  let over = false
  void call.then(() => (over = true))
  await clock.advance(1_999)
  expect(over).toBe(false)
  await clock.advance(1)
  expect((await call)[0]).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
  await client.close()
})

test('connectMs ends an attempt that comes to nothing, and the next begins', async () => {
  const clock = new VirtualClock()
  let dials = 0
  const nowhere: Transport = {
    name: 'nowhere',
    target: 'nowhere',
    dial: ({ signal }) =>
      new Promise((_, reject) => {
        dials += 1
        signal.addEventListener('abort', () => reject(new Error('aborted')))
      }),
  }
  const limits = { connectMs: 1_000, reconnectMs: 1, maxReconnectMs: 1 }
  const client = createClient({ desk }, nowhere, { clock, limits })
  const call = safe(client.desk.ask(undefined, { timeoutMs: 1_500 }))
  await clock.advance(999)
  expect(dials).toBe(1)
  await clock.advance(10)
  expect(dials).toBe(2)
  await clock.advance(500)
  expect((await call)[0]).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
  await client.close()
})

test('reconnectMs: the first attempts come soon, whatever the longest pause', async () => {
  const clock = new VirtualClock()
  let dials = 0
  const nobody: Transport = {
    name: 'nobody',
    target: 'nobody',
    dial: () => {
      dials += 1
      return Promise.reject(new Error('refused'))
    },
  }
  const limits = { reconnectMs: 10, maxReconnectMs: 1_000_000 }
  const client = createClient({ desk }, nobody, { clock, limits })
  const call = safe(client.desk.ask(undefined, { timeoutMs: 200 }))
  await clock.advance(200)
  expect((await call)[0]).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
  expect(dials).toBeGreaterThanOrEqual(3)
  await client.close()
})

test('reconnectMs: after a lost link the first attempt comes soon', async () => {
  const clock = new VirtualClock()
  const raw = await RawServer.listen()
  const limits = { reconnectMs: 10, maxReconnectMs: 1_000_000 }
  const client = createClient({ desk }, tcp({ port: raw.port }), { clock, limits })
  const call = safe(client.desk.ask())
  const peer = await raw.accept()
  await peer.next()
  peer.sendFrames(rawWelcome())
  await peer.nextOf(0x10)
  await peer.destroy()
  await expect.poll(() => client.state).toBe('reconnecting')
  await clock.advance(100)
  const next = await raw.accept()
  expect((await next.next()).type).toBe(0x01)
  await Promise.all([client.close(), next.destroy()])
  expect((await call)[0]?.processed).toBe('unknown')
  await raw.close()
})

test('maxQueuedCalls: without a connection', async () => {
  const metrics = new MetricsRegistry()
  const client = createClient({ desk }, memory(), { limits: { maxQueuedCalls: 2 }, metrics })
  const calls = Array.from({ length: 3 }, () => safe(client.desk.ask()))
  expect((await calls[2]!)[0]).toMatchObject({
    code: 'resource_exhausted',
    processed: 'no',
    message: expect.stringContaining('limits.maxQueuedCalls (2)'),
  })
  expect(metrics.counter('limit_hits', 'maxQueuedCalls')).toBe(1)
  await client.close()
  for (const call of calls.slice(0, 2)) expect((await call)[0]?.code).toBe('cancelled')
})

test('maxQueuedCalls: for want of a slot at the peer [threat K4]', async () => {
  const transport = memory()
  const metrics = new MetricsRegistry()
  const hang = (): Promise<void> => new Promise(() => undefined)
  const service = implement(desk, { ask: () => 1, hang, note: () => undefined })
  const server = createServer({ services: [service], logger: silent })
  await server.listen(transport)
  const client = createClient({ desk }, transport, { metrics })
  expect(await client.desk.ask()).toBe(1)
  const calls = Array.from({ length: 1_281 }, () => safe(client.desk.hang()))
  const [error] = await calls[1_280]!
  expect(error).toMatchObject({
    code: 'resource_exhausted',
    processed: 'no',
    message: expect.stringContaining('limits.maxQueuedCalls (1024)'),
  })
  await expect.poll(() => server.inspect().connections[0]?.calls.served).toBe(256)
  expect(client.inspect().connection?.calls).toMatchObject({ made: 1_280, waitingForSlot: 1_024 })
  expect(metrics.counter('limit_hits', 'maxQueuedCalls')).toBe(1)
  await client.close()
  await Promise.all(calls)
  await server.close({ graceMs: 0 })
})

test('maxQueuedCalls: events that get no credit', async () => {
  const metrics = new MetricsRegistry()
  const raw = await RawServer.listen()
  const client = createClient({ desk }, tcp({ port: raw.port }), {
    limits: { maxQueuedCalls: 5 },
    metrics,
  })
  const first = client.desk.note(0)
  const peer = await raw.accept()
  await peer.next()
  peer.sendFrames(rawWelcome())
  await first
  // 262,144 bytes of credit, 65 for each: then five wait, and one does not.
  let sent = 1
  const credit = Math.floor(262_144 / 65)
  for (; sent < credit; sent += 1) await client.desk.note(sent % 100)
  const waiting = Array.from({ length: 6 }, () => safe(client.desk.note(1)))
  expect((await waiting[5]!)[0]).toMatchObject({
    code: 'resource_exhausted',
    message: expect.stringContaining('limits.maxQueuedCalls (5)'),
  })
  expect(metrics.counter('limit_hits', 'maxQueuedCalls')).toBe(1)
  await Promise.all([client.close(), peer.destroy()])
  await Promise.all(waiting)
  await raw.close()
})

test('a server that falls silent is given up after interval + timeout + 5 s [threat X5]', async () => {
  const clock = new VirtualClock()
  const raw = await RawServer.listen()
  const client = createClient({ desk }, tcp({ port: raw.port }), {
    clock,
    limits: { sessionGraceMs: 0, reconnectMs: 60_000, maxReconnectMs: 60_000 },
  })
  const call = safe(client.desk.ask(undefined, { timeoutMs: 100_000 }))
  const peer = await raw.accept()
  await peer.next()
  peer.sendFrames(rawWelcome({ keepalive: { intervalMs: 2_000, timeoutMs: 1_000 } }))
  await peer.nextOf(0x10)
  await clock.advance(7_999)
  expect(client.state).toBe('connected')
  await clock.advance(1)
  expect((await call)[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  await Promise.all([client.close(), peer.destroy()])
  await raw.close()
})
