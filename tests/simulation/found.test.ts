// What the simulator has found in the engine, each as the smallest case that shows it.

import { createClient, type Client } from '@callbox/client'
import { clientStream, contract, serverStream, unary } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { VirtualClock } from '@callbox/testing'
import { Simulation, type Host, type Line } from '@callbox/testing/simulation'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { Cuttable } from '../resume/cuttable.ts'

const found = contract('found', {
  sum: clientStream({ input: T.Integer(), output: T.Integer() }),
  echo: unary({ input: T.Integer(), output: T.Integer() }),
  count: serverStream({ input: T.Integer(), output: T.Integer() }),
  length: unary({ input: T.String(), output: T.Integer() }),
})

type Service = ReturnType<typeof implement<typeof found>>

/** `onEnd` is told how the input of `sum` ended; `pace` is waited for between two items of `count`. */
function serviceOf(
  onEnd: (how: unknown) => void = () => undefined,
  pace: () => Promise<void> = () => Promise.resolve(),
): Service {
  return implement(found, {
    echo: (n) => n,
    count: async function* (to) {
      for (let n = 1; n <= to; n += 1) {
        await pace()
        yield n
      }
    },
    length: (text) => text.length,
    sum: async (_, { input }) => {
      let sum = 0
      try {
        for await (const n of input) sum += n
        onEnd('well')
      } catch (error) {
        onEnd(error)
      }
      return sum
    },
  })
}

for (const [why, code] of [
  ['whose deadline passes', 'deadline_exceeded'],
  ['of a server that shuts down', 'unavailable'],
] as const)
  test(`the input of a call ${why} does not end as if it were complete`, async () => {
    const clock = new VirtualClock()
    const transport = new Cuttable()
    const ends: unknown[] = []
    const service = serviceOf((how) => ends.push(how))
    const server = createServer({ services: [service], logger: silent, clock })
    await server.listen(transport)
    const client = createClient({ found }, transport, { clock })
    async function* endless(): AsyncGenerator<number> {
      for (let n = 1; ; n += 1) {
        yield n
        await new Promise<void>((resolve) => clock.setTimer(resolve, 100))
      }
    }
    const timeoutMs = code === 'deadline_exceeded' ? 1_000 : 60_000
    const call = client.found.sum(endless(), { timeoutMs })
    call.catch(() => undefined)
    await clock.advance(500)
    // The CANCEL of the caller does not arrive: the callee is on its own.
    if (code === 'deadline_exceeded') transport.line.blackhole()
    const closing = code === 'unavailable' ? server.close({ graceMs: 500 }) : undefined
    await clock.advance(1_000)
    await expect(call).rejects.toMatchObject({ code })
    expect(ends).toEqual([expect.objectContaining({ code })])
    transport.line.cut()
    await client.close()
    await (closing ?? server.close({ graceMs: 0 }))
  })

test('input that has come whole and is given up unread does not end as if it were complete', async () => {
  const simulation = new Simulation()
  const [near, far] = [simulation.host('client'), simulation.host('server')]
  const ends: unknown[] = []
  const service = serviceOf((how) => ends.push(how))
  const server = createServer({ services: [service], logger: silent, clock: far.clock })
  await server.listen(simulation.transport(far))
  const client = createClient({ found }, simulation.transport(near), { clock: near.clock })
  expect(await simulation.until(client.found.echo(1))).toBe(1)
  // The server reads everything at once: the items, their end, and that nobody wants the answer.
  simulation.network.linesOf(near)[0]!.far.block(1_000)
  const cancelling = new AbortController()
  async function* three(): AsyncGenerator<number> {
    for (const n of [1, 2, 3]) yield n
  }
  const call = client.found.sum(three(), { signal: cancelling.signal })
  call.catch(() => undefined)
  await simulation.advance(500)
  cancelling.abort()
  await simulation.advance(1_000)
  await expect(call).rejects.toMatchObject({ code: 'cancelled' })
  expect(ends).toEqual([expect.objectContaining({ code: 'cancelled' })])
  expect(simulation.violations).toEqual([])
  await simulation.until(Promise.all([client.close(), server.close()]))
})

/** A server that shuts down while a stream runs, a client that goes on calling meanwhile. */
async function drained(
  meanwhile: (client: Client<{ found: typeof found }>, line: Line) => Promise<unknown>,
): Promise<{ readonly items: readonly number[]; readonly answer: unknown }> {
  const simulation = new Simulation()
  const [near, first, next] = [
    simulation.host('client'),
    simulation.host('1'),
    simulation.host('2'),
  ]
  const start = async (host: Host): Promise<ReturnType<typeof createServer>> => {
    const service = serviceOf(undefined, () => host.sleep(200))
    const one = createServer({ services: [service], logger: silent, clock: host.clock })
    await one.listen(simulation.transport(host))
    return one
  }
  const old = await start(first)
  const client = createClient({ found }, simulation.transport(near), {
    clock: near.clock,
    limits: { maxFed: 1 },
  })
  const items: number[] = []
  const reading = (async () => {
    for await (const n of client.found.count(20)) items.push(n)
  })()
  reading.catch(() => undefined)
  await simulation.advance(1_000)
  const closing = old.close({ graceMs: 8_000, acceptMs: 0, spreadMs: 0 })
  const young = await start(next)
  const line = simulation.network.linesOf(near)[0]!
  const answer = await simulation.until(meanwhile(client, line))
  await simulation.until(Promise.allSettled([reading, closing]))
  expect(simulation.violations).toEqual([])
  await simulation.until(Promise.all([client.close(), young.close()]))
  return { items, answer }
}

const twenty = Array.from({ length: 20 }, (_, index) => index + 1)

test('an upload that crosses the GOAWAY of a drain costs the other calls nothing', async () => {
  const { items, answer } = await drained((client) => {
    async function* three(): AsyncGenerator<number> {
      for (const n of [1, 2, 3]) yield n
    }
    return client.found.sum(three()).catch((error: unknown) => error)
  })
  expect(answer).toMatchObject({ code: 'unavailable', processed: 'no' })
  expect(items).toEqual(twenty)
})

test('calls that wait for their turn when a drain begins move at once, and leave nothing behind', async () => {
  const { items, answer } = await drained((client, line) => {
    // The server reads nothing for a while: what is sent piles up here.
    line.far.block(2_000)
    const sizes = [200_000, 20_000, 20]
    return Promise.all(sizes.map((size) => client.found.length('x'.repeat(size))))
  })
  expect(answer).toEqual([200_000, 20_000, 20])
  expect(items).toEqual(twenty)
})
