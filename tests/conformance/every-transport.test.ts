// The cases that are calls on every transport: the client as caller, the server, and both at once.
// Each case has a connection of its own, and leaves nothing behind.

import { createClient, safe, type Client } from '@callbox/client'
import { resolveLimits } from '@callbox/core/internal'
import { validate } from '@callbox/core/validate'
import { createServer, implement, silent, type Connection, type Server } from '@callbox/server'
import {
  callCases,
  conf,
  handlers,
  isAlive,
  leftOfClient,
  leftOfServer,
  overCaps,
  titleOf,
  type Amount,
  type CallCase,
  type Caller,
} from '@callbox/testing/conformance'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { unhurried } from '../unhurried.ts'
import { places, type Place, type PlaceName } from './places.ts'

const limits = {
  preset: 'internal',
  ...unhurried,
  sessionGraceMs: 0,
  maxQueuedCalls: 8_192,
  // C48 lets 272 MB wait in one process.
  processBudget: 1024 * 1024 * 1024,
} as const
const caps = resolveLimits('internal')
/** The largest numbers of the list take 9 s on a machine that has other work, in milliseconds. */
const patience = { timeout: 120_000 }
const listed = callCases.map((one) => ({ title: titleOf(one), one }))

/** Everything that the ledgers say while `work` runs, and after it. */
async function withinCaps(
  sides: readonly (() => readonly (Parameters<typeof overCaps>[0] | undefined)[])[],
  work: () => Promise<void>,
): Promise<void> {
  const wrong = new Set<string>()
  const look = (): void => {
    for (const side of sides)
      for (const connection of side())
        if (connection !== undefined) for (const text of overCaps(connection, caps)) wrong.add(text)
  }
  const timer = setInterval(look, 5)
  try {
    await work()
    look()
  } finally {
    clearInterval(timer)
  }
  expect([...wrong]).toEqual([])
}

/** By the compact codec, as is the default on Node; on one of them by msgpack as well. */
const variants = [
  ...(Object.keys(places) as PlaceName[]).map((name) => ({ title: name, name, codecs: undefined })),
  { title: 'memory, msgpack alone', name: 'memory', codecs: [] },
] as const

describe.each(variants)('$title', ({ name, codecs }) => {
  let server: Server
  let place: Place
  let port: number
  let newest: Connection | undefined
  /** The numbers of the list on one transport; a fraction on the others. */
  const amount: Amount['amount'] = name === 'tcp' ? 'full' : 'light'

  beforeAll(async () => {
    place = places[name]()
    server = createServer({
      services: [implement(conf, handlers())],
      logger: silent,
      limits,
      codecs,
      onConnection: (one) => {
        newest = one
      },
    })
    ;({ port } = await server.listen(place.listenOn))
  })
  afterAll(async () => {
    await server.close({ graceMs: 0 })
    place.clean()
  })

  /** Runs a case on a connection of its own, then checks what must hold after each. */
  async function play(
    one: CallCase,
    callersOf: (client: Client<{ conf: typeof conf }>) => readonly Caller[],
    how: Amount = { amount: 'light' },
  ): Promise<void> {
    // Checks on this side too: what the server calls is served under the same rules.
    const client = createClient({ conf }, place.to(port), { validate, limits })
    try {
      client.handle(conf, handlers())
      await client.conf.nothing()
      const sides = [() => [client.inspect().connection], () => server.inspect().connections]
      await withinCaps(sides, async () => {
        await Promise.all(callersOf(client).map((caller) => one.run(caller, how)))
        for (const caller of callersOf(client)) await isAlive(caller)
        expect(client.state).toBe('connected')
      })
    } finally {
      await client.close()
    }
    expect(leftOfClient(client.inspect())).toEqual([])
    await expect.poll(() => leftOfServer(server.inspect())).toEqual([])
  }

  describe('the client calls', () => {
    test.each(listed)('$title', patience, ({ one }) =>
      expect(play(one, (client) => [client.conf], { amount })).resolves.toBeUndefined(),
    )
  })

  describe('the server calls [case C40]', () => {
    test.each(listed)('$title', patience, ({ one }) =>
      expect(play(one, () => [newest!.client(conf)])).resolves.toBeUndefined(),
    )
  })

  describe('both call at once [case C40]', () => {
    test.each(listed.filter(({ one }) => one.alone !== true))('$title', patience, ({ one }) =>
      expect(play(one, (client) => [client.conf, newest!.client(conf)])).resolves.toBeUndefined(),
    )
  })

  test('a callee that is not spared by its caller says that it had begun [case C45]', async () => {
    const unchecked = createClient({ conf }, place.to(port))
    const [error] = await safe(
      unchecked.conf.strictItems(
        (async function* () {
          yield* [1, 99]
        })(),
      ),
    )
    expect(error).toMatchObject({ code: 'invalid_argument', processed: 'yes' })
    await unchecked.close()
  })

  test('the client goes away: the signals of its handlers fire at once [case C73]', async () => {
    const leaving = createClient({ conf }, place.to(port))
    const staying = createClient({ conf }, place.to(port))
    const id = `left over ${name}`
    const call = safe(leaving.conf.hang(id))
    await leaving.conf.nothing()
    await leaving.close()
    expect((await call)[0]).toMatchObject({ code: 'cancelled', processed: 'unknown' })
    await expect.poll(() => staying.conf.aborted(id)).toBe(true)
    await staying.close()
  })
})
