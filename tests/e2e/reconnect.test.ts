// A client's connection: lazy, made again, closed. On the virtual clock.

import { createClient, safe, type StateChange } from '@callbox/client'
import { contract, serverStream, unary } from '@callbox/core'
import {
  createServer,
  implement,
  implementFor,
  RpcError,
  silent,
  type Server,
} from '@callbox/server'
import { memory, VirtualClock } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'

const desk = contract('desk', {
  ask: unary({ input: T.String(), output: T.String() }),
  wait: unary({ output: T.String() }),
  ticks: serverStream({ output: T.Integer() }),
})

function deskServer(clock: VirtualClock, answer = 'yes'): Server {
  return createServer({
    services: [
      implement(desk, {
        ask: (text) => `${text}: ${answer}`,
        wait: (_, { signal }) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted'))),
        ticks: async function* (_, { signal }) {
          yield 1
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
      }),
    ],
    logger: silent,
    clock,
  })
}

function setUp() {
  const clock = new VirtualClock()
  const transport = memory()
  const states: StateChange[] = []
  const client = createClient({ desk }, transport, { clock })
  client.on('state', (change) => states.push(change))
  return { clock, transport, client, states, names: () => states.map(({ state }) => state) }
}

test('it connects on first use', async () => {
  const { clock, transport, client, names } = setUp()
  const server = deskServer(clock)
  await server.listen(transport)
  expect(client.state).toBe('idle')
  expect(await client.desk.ask('there')).toBe('there: yes')
  expect(names()).toEqual(['connecting', 'connected'])
  await client.close()
  expect(client.state).toBe('closed')
  await server.close()
})

test('calls made without a server wait for one, in order', async () => {
  const { clock, transport, client, states } = setUp()
  const calls = [client.desk.ask('a'), client.desk.ask('b')]
  await clock.settle()
  expect(states.at(-1)).toMatchObject({ state: 'reconnecting', error: { code: 'unavailable' } })
  const server = deskServer(clock)
  await server.listen(transport)
  await clock.advance(1_000)
  expect(await Promise.all(calls)).toEqual(['a: yes', 'b: yes'])
  await client.close()
  await server.close()
})

test('[case C63] a call that waits ends at its deadline, not processed', async () => {
  const { clock, client } = setUp()
  const call = safe(client.desk.ask('a', { timeoutMs: 5_000 }))
  await clock.advance(4_999)
  await clock.advance(1)
  expect((await call)[0]).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
  await client.close()
})

test('the delays double with full jitter, up to 30 s [threat X7]', async () => {
  const { clock, client, states } = setUp()
  const call = safe(client.desk.ticks().next())
  await clock.advance(600_000)
  const delays = states.flatMap(({ retryInMs }) => retryInMs ?? [])
  expect(delays.length).toBeGreaterThan(20)
  delays.forEach((ms, attempt) =>
    expect(ms).toBeLessThanOrEqual(Math.min(30_000, 250 * 2 ** (attempt + 1))),
  )
  expect(Math.max(...delays)).toBeGreaterThan(10_000)
  expect(new Set(delays).size).toBeGreaterThan(10)
  await client.close()
  expect((await call)[0]).toMatchObject({ code: 'cancelled', processed: 'no' })
})

test('a server that goes down in order: running calls end within the grace, later ones move', async () => {
  const { clock, transport, client } = setUp()
  const first = deskServer(clock, 'first')
  await first.listen(transport)
  const stream = client.desk.ticks()
  expect((await stream.next()).value).toBe(1)
  let lost = 0
  client.on('sessionLost', () => (lost += 1))
  const closing = first.close({ graceMs: 20, acceptMs: 0 })
  await clock.settle()
  const second = deskServer(clock, 'second')
  await second.listen(transport)
  const moved = client.desk.ask('who')
  await clock.advance(1_000)
  expect(await moved).toBe('who: second')
  await closing
  await expect(stream.next()).rejects.toMatchObject({ code: 'unavailable', processed: 'yes' })
  expect(lost).toBe(1)
  await client.close()
  await second.close()
})

test('refused by authenticate: waiting calls fail, and the credential is asked for again', async () => {
  const clock = new VirtualClock()
  const transport = memory()
  const asked: number[] = []
  let good = false
  const server = createServer({
    services: [
      implementFor<{ readonly user: string }>()(desk, {
        ask: (_, { context }) => context.user,
        wait: () => '',
        ticks: async function* () {},
      }),
    ],
    authenticate: ({ credential }) => {
      if (credential !== 'good') throw new RpcError('unauthenticated', 'who are you')
      return { user: 'ada' }
    },
    logger: silent,
    clock,
  })
  await server.listen(transport)
  const client = createClient({ desk }, transport, {
    clock,
    credential: () => {
      asked.push(asked.length)
      return good ? 'good' : 'bad'
    },
  })
  const [error] = await safe(client.desk.ask('a'))
  expect(error).toMatchObject({ code: 'unauthenticated', processed: 'no', message: 'who are you' })
  good = true
  const call = client.desk.ask('b')
  await clock.advance(1_000)
  expect(await call).toBe('ada')
  expect(asked.length).toBe(2)
  await client.close()
  await server.close()
})

test('[case C62] a nested call gets no more time than its handler has, and ends with it', async () => {
  const clock = new VirtualClock()
  const inner = memory()
  const lefts: (number | undefined)[] = []
  const aborted: string[] = []
  const innerServer = createServer({
    services: [
      implement(desk, {
        ask: (text) => text,
        wait: (_, call) => {
          lefts.push(call.deadline)
          return new Promise((resolve) =>
            call.signal.addEventListener('abort', () => {
              aborted.push('inner')
              resolve('')
            }),
          )
        },
        ticks: async function* () {},
      }),
    ],
    logger: silent,
    clock,
  })
  await innerServer.listen(inner)
  const toInner = createClient({ desk }, inner, { clock })
  const outer = memory()
  const outerServer = createServer({
    services: [
      implement(desk, {
        ask: (text) => text,
        wait: async () => {
          await clockTick(clock)
          return toInner.desk.wait(undefined, { timeoutMs: 60_000 })
        },
        ticks: async function* () {},
      }),
    ],
    logger: silent,
    clock,
  })
  await outerServer.listen(outer)
  const client = createClient({ desk }, outer, { clock })
  const call = safe(client.desk.wait(undefined, { timeoutMs: 1_000 }))
  await clock.advance(200)
  expect(lefts).toHaveLength(1)
  expect(lefts[0]).toBeGreaterThan(0)
  expect(lefts[0]).toBeLessThanOrEqual(900)
  await clock.advance(1_000)
  expect((await call)[0]?.code).toBe('deadline_exceeded')
  expect(aborted).toEqual(['inner'])
  await Promise.all([client.close(), toInner.close()])
  await Promise.all([outerServer.close(), innerServer.close()])
})

/** 100 ms of work. */
function clockTick(clock: VirtualClock): Promise<void> {
  return new Promise((resolve) => clock.setTimer(resolve, 100))
}

test('[case C60] an answer takes its timer away; a closed pair leaves none', async () => {
  const { clock, transport, client } = setUp()
  const server = deskServer(clock)
  await server.listen(transport)
  for (let n = 0; n < 100; n += 1) await client.desk.ask('a', { timeoutMs: 1_000 + n })
  await client.close()
  await server.close()
  await clock.settle()
  expect(clock.pendingTimers).toBe(0)
})

test('close settles in every state, twice', async () => {
  const idle = setUp()
  await idle.client.close()
  await idle.client.close()
  const trying = setUp()
  const call = safe(trying.client.desk.ask('a'))
  await trying.client.close()
  expect((await call)[0]).toMatchObject({ code: 'cancelled', processed: 'no' })
  expect((await safe(trying.client.desk.ask('b')))[0]?.code).toBe('cancelled')
})
