// How soon a link is given up that says nothing any more, over real sockets, with the preset `fast`.

import { afterEach, expect, test } from 'vitest'
import { closeLanes, openLane, type Lane, type TransportName } from '../resume/lane.ts'

afterEach(closeLanes)

/** The bounds of the preset; a loaded machine gets some time on top. */
const boundMs = { server: 3_500, client: 8_500 }
const slackMs = 3_000

async function noticed(lane: Lane, fault: () => void): Promise<{ server: number; client: number }> {
  const client = lane.connect()
  await client.world.echo('first')
  const from = performance.now()
  const at = { server: Infinity, client: Infinity }
  client.on('state', ({ state }) => {
    if (state === 'reconnecting') at.client = Math.min(at.client, performance.now() - from)
  })
  fault()
  const look = setInterval(() => {
    if (lane.server.inspect().connections.every((each) => each.parked))
      at.server = Math.min(at.server, performance.now() - from)
  }, 20)
  while (at.client === Infinity || at.server === Infinity)
    await new Promise((resolve) => setTimeout(resolve, 20))
  clearInterval(look)
  expect(await client.world.echo('second')).toBe('second')
  expect(lane.ran).toEqual(['echo first', 'echo second'])
  await client.close()
  return at
}

test('a line that is dead both ways: the server within 3.5 s, the client within 8.5 s, nothing lost [case C107] [threat X5]', async () => {
  const names: readonly TransportName[] = ['tcp', 'ws']
  const times = await Promise.all(
    names.map(async (name) => {
      const lane = await openLane(name, 'fast')
      return noticed(lane, () => lane.proxy.blackhole())
    }),
  )
  for (const { server, client } of times) {
    expect(server).toBeGreaterThan(2_500)
    expect(server).toBeLessThan(boundMs.server + slackMs)
    expect(client).toBeGreaterThan(6_500)
    expect(client).toBeLessThan(boundMs.client + slackMs)
  }
})

test('one way is dead, or one end is not told: nothing lost, nothing twice [case C97] [case C107]', async () => {
  await Promise.all(
    (['tcp', 'ws'] as const).flatMap((name) =>
      (['near', 'far', 'up', 'down'] as const).map(async (fault) => {
        const lane = await openLane(name, 'fast')
        const client = lane.connect()
        await client.world.echo('first')
        if (fault === 'near' || fault === 'far') lane.proxy.halfOpen(fault)
        else lane.proxy.blackhole(fault)
        expect(await client.world.echo('second')).toBe('second')
        expect(lane.ran, `${name} ${fault}`).toEqual(['echo first', 'echo second'])
        await client.close()
      }),
    ),
  )
})
