// Slots that the server still holds for calls that the client has given up: what waits, waits on.

import { createClient, safe } from '@callbox/client'
import { contract, unary } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { memory, VirtualClock } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'

const desk = contract('desk', {
  stubborn: unary({}),
  quick: unary({ input: T.Integer(), output: T.Integer() }),
})

test('handlers that ignore their cancel cost the calls behind them time, not failure', async () => {
  const clock = new VirtualClock()
  const transport = memory()
  const held: (() => void)[] = []
  let ran = 0
  const server = createServer({
    services: [
      implement(desk, {
        stubborn: () => new Promise<undefined>((resolve) => held.push(() => resolve(undefined))),
        quick: (n) => {
          ran += 1
          return n
        },
      }),
    ],
    limits: { maxCalls: 4 },
    logger: silent,
    clock,
  })
  await server.listen(transport)
  const client = createClient({ desk }, transport, { clock })
  const controller = new AbortController()
  const given = [1, 2, 3, 4].map(() =>
    safe(client.desk.stubborn(undefined, { signal: controller.signal })),
  )
  await clock.settle()
  expect(held).toHaveLength(4)
  controller.abort()
  await Promise.all(given)
  const waiting = Array.from({ length: 200 }, (_, n) => safe(client.desk.quick(n)))
  // The server has no slot, and says so to the first of them.
  await clock.advance(900)
  expect(ran).toBe(0)
  for (const release of held) release()
  await clock.advance(3_000)
  const outcomes = await Promise.all(waiting)
  expect(outcomes.filter(([error]) => error !== undefined)).toEqual([])
  expect(outcomes.map(([, n]) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n))
  expect(client.inspect().timers).toBeLessThanOrEqual(2)
  await client.close()
  await server.close()
})

test('a client that is closed while it waits for the server leaves no timer', async () => {
  const clock = new VirtualClock()
  const transport = memory()
  const server = createServer({
    services: [
      implement(desk, {
        stubborn: () => new Promise<undefined>(() => undefined),
        quick: (n) => n,
      }),
    ],
    limits: { maxCalls: 1 },
    logger: silent,
    clock,
  })
  await server.listen(transport)
  const client = createClient({ desk }, transport, { clock })
  const controller = new AbortController()
  const given = safe(client.desk.stubborn(undefined, { signal: controller.signal }))
  await clock.settle()
  controller.abort()
  await given
  const waiting = [1, 2, 3].map((n) => safe(client.desk.quick(n)))
  await clock.settle()
  await client.close()
  for (const [error] of await Promise.all(waiting)) expect(error?.code).toBe('cancelled')
  expect(client.inspect().timers).toBe(0)
  const closing = server.close({ graceMs: 0 })
  await clock.advance(10_000)
  await closing
})
