// Cases that are about time, on the virtual clock; and servers that cannot be reached.

import { createClient, safe, type StateChange } from '@callbox/client'
import { createServer, implement, silent } from '@callbox/server'
import { memory, VirtualClock } from '@callbox/testing'
import { conf, handlers, leftOfClient, leftOfServer } from '@callbox/testing/conformance'
import { hex, rawFrame, RawServer, rawWelcome, toMsgpack } from '@callbox/testing/node'
import { tcp, unix } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { describe, expect, test } from 'vitest'
import { RawLink } from '../resume/raw-link.ts'

const host = '127.0.0.1'

function serve(clock: VirtualClock) {
  const transport = memory()
  const server = createServer({
    services: [implement(conf, handlers())],
    logger: silent,
    clock,
    limits: { maxLagMs: 600_000 },
  })
  return { transport, server }
}

test('no HELLO: closed 5 s after accept, no sooner, no later than 5.5 s [case C16]', async () => {
  const clock = new VirtualClock()
  const { transport, server } = serve(clock)
  await server.listen(transport)
  const link = await RawLink.connect(transport)
  await clock.advance(4_999)
  expect([link.closed, server.inspect().arriving]).toEqual([false, 1])
  await clock.advance(501)
  expect(link.closed).toBe(true)
  expect(leftOfServer(server.inspect())).toEqual([])
  await server.close({ graceMs: 0 })
})

test('a HELLO whose credential is never judged is cut at the same time [case C16]', async () => {
  const clock = new VirtualClock()
  const transport = memory()
  const server = createServer({
    services: [implement(conf, handlers())],
    logger: silent,
    clock,
    authenticate: () => new Promise<object>(() => undefined),
  })
  await server.listen(transport)
  const link = await RawLink.connect(transport)
  await clock.advance(3_000)
  link.hello()
  await clock.advance(1_999)
  expect(link.closed).toBe(false)
  await clock.advance(501)
  expect(link.closed).toBe(true)
  await server.close({ graceMs: 0 })
})

test('another version: the error names both, the next try comes 30 s later [case C17]', async () => {
  const clock = new VirtualClock()
  const transport = memory()
  const dialed: number[] = []
  const refusal = rawFrame(
    0x06,
    0,
    0,
    hex('23 00 0000 00000000'),
    toMsgpack({ reason: 'version 1 of the peer is not version 2.0', versions: [2, 0, 0] }),
  )
  await transport.listen({
    onLink: (link) => {
      dialed.push(clock.now())
      link.open({
        onFrame: () => {
          link.write(refusal, 0, refusal.length)
          void link.close()
        },
        onDrain: () => undefined,
        onClose: () => undefined,
      })
    },
    onError: () => undefined,
    maxFrame: 66_560,
    handshakeMs: 5_000,
    maxConnections: 10,
  })
  const client = createClient({ conf }, transport, { clock })
  const call = safe(client.conf.nothing())
  await clock.advance(10)
  const [error] = await call
  expect(error).toMatchObject({ code: 'protocol', processed: 'no' })
  expect(error?.message).toContain('version 1')
  expect(error?.message).toContain('version 2')
  await clock.advance(29_900)
  expect(dialed).toHaveLength(1)
  await clock.advance(200)
  expect(dialed).toHaveLength(2)
  await client.close()
  expect(leftOfClient(client.inspect())).toEqual([])
})

/** A port that nobody listens on, and that nobody will be given soon. */
async function freePort(): Promise<number> {
  const raw = await RawServer.listen()
  await raw.close()
  return raw.port
}

// Longer than a label of a name may be: no resolver is asked.
const noName = `${'x'.repeat(64)}.invalid`

describe('servers that cannot be reached [case C119]', () => {
  const unreachable = {
    'connection refused, tcp': async () => tcp({ host, port: await freePort() }),
    'connection refused, ws': async () => ws(`ws://${host}:${await freePort()}/`),
    'no such socket, unix': async () => unix({ path: '/nonexistent/callbox.sock' }),
    'name not found, tcp': async () => tcp({ host: noName, port: 9 }),
    'name not found, ws': async () => ws(`ws://${noName}:9/`),
  }

  test.each(Object.entries(unreachable))('%s', async (_, transportOf) => {
    const states: StateChange[] = []
    const client = createClient({ conf }, await transportOf())
    client.on('state', (change) => states.push(change))
    const [fast] = await safe(client.conf.nothing(undefined, { waitForReady: false }))
    expect(fast).toMatchObject({ code: 'unavailable', processed: 'no' })
    const [slow] = await safe(client.conf.nothing(undefined, { timeoutMs: 300 }))
    expect(slow).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
    expect(states.some(({ state }) => state === 'reconnecting')).toBe(true)
    await client.close()
    expect(leftOfClient(client.inspect())).toEqual([])
  })

  test.each(['tcp', 'ws'] as const)('nobody answers in time, %s', async (name) => {
    // It accepts, and stays silent where HELLO or the upgrade wants an answer.
    const raw = await RawServer.listen()
    const to = name === 'tcp' ? tcp({ host, port: raw.port }) : ws(`ws://${host}:${raw.port}/`)
    const client = createClient({ conf }, to, { limits: { connectMs: 150 } })
    const states: StateChange[] = []
    client.on('state', (change) => states.push(change))
    const [slow] = await safe(client.conf.nothing(undefined, { timeoutMs: 1_000 }))
    expect(slow).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
    const refused = states.find(({ state }) => state === 'reconnecting')
    expect(refused).toMatchObject({ error: { code: 'unavailable', processed: 'no' } })
    const [fast] = await safe(client.conf.nothing(undefined, { waitForReady: false }))
    expect(fast).toMatchObject({ code: 'unavailable', processed: 'no' })
    await client.close()
    await raw.close()
  })

  test('a call that waits goes out once there is a server', async () => {
    const port = await freePort()
    const client = createClient({ conf }, tcp({ host, port }), { limits: { reconnectMs: 20 } })
    const waiting = client.conf.values('patience')
    const reconnecting = new Promise<void>((resolve) =>
      client.on('state', ({ state }) => state === 'reconnecting' && resolve()),
    )
    await reconnecting
    const server = createServer({ services: [implement(conf, handlers())], logger: silent })
    await server.listen(tcp({ host, port }))
    expect(await waiting).toBe('patience')
    await client.close()
    await server.close({ graceMs: 0 })
  })
})

test('a WELCOME that comes a byte at a time is read [case C13]', async () => {
  const raw = await RawServer.listen()
  const client = createClient({ conf }, tcp({ host, port: raw.port }))
  const call = client.conf.notes()
  const peer = await raw.accept()
  await peer.next()
  for (const byte of peer.bytesOf(rawWelcome())) {
    peer.send(Uint8Array.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { id } = await peer.nextOf(0x10)
  peer.sendFrames(rawFrame(0x11, 2, id, toMsgpack([7])))
  expect(await call).toEqual([7])
  const closing = client.close()
  await peer.nextOf(0x06)
  peer.end()
  await closing
  await raw.close()
})
