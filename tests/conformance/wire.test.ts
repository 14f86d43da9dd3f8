// The cases of a raw peer, in one process: a server on every socket transport, a client on TCP and
// WebSocket. What goes over the wire is the same as between separate processes.

import { createClient, type Client } from '@callbox/client'
import { createServer, implement, silent } from '@callbox/server'
import { conf, handlers, titleOf, wireCases, type WireCase } from '@callbox/testing/conformance'
import {
  playClientCase,
  playServerCase,
  RawPeer,
  RawServer,
  type ClientSubject,
  type Settlement,
} from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { describe, expect, test } from 'vitest'
import { unhurried } from '../unhurried.ts'
import { startCall } from './start-call.ts'
import { places, type PlaceName } from './places.ts'

const runsOn = ({ where }: WireCase, name: PlaceName): boolean =>
  where === 'L' || (where === 'W') === name.startsWith('ws')
const listOf = (tests: WireCase['tests'], name: PlaceName) =>
  wireCases
    .filter((one) => one.tests === tests && runsOn(one, name))
    .map((one) => ({ title: titleOf(one), one }))

const sockets = ['tcp', 'tls', 'unix', 'ws', 'wss'] as const

describe.each(sockets)('a raw client over %s', (name) => {
  test.each(listOf('server', name))('$title', async ({ one }) => {
    const place = places[name]()
    const server = createServer({
      services: [implement(conf, handlers())],
      logger: silent,
      limits: { ...unhurried, sessionGraceMs: 0, ...one.limits },
    })
    const { port } = await server.listen(place.listenOn)
    try {
      const played = playServerCase(one, {
        connect: () => RawPeer.connect(place.raw(port)),
        inspect: () => Promise.resolve(server.inspect()),
        problems: () => Promise.resolve([]),
      })
      if (one.expected === 'fail') await expect(played).rejects.toThrow()
      else await expect(played).resolves.toBeUndefined()
    } finally {
      await server.close({ graceMs: 0 })
      place.clean()
    }
    expect(server.inspect()).toMatchObject({
      listeners: 0,
      arriving: 0,
      connections: [],
      timers: 0,
    })
  })
})

/** A client of this process, asked as one of another would be. */
function subjectOf(client: Client<{ conf: typeof conf }>): ClientSubject {
  const running = new Map<string, Promise<Settlement>>()
  return {
    call: async (call) => void running.set(call.name, startCall(client.conf, call)),
    settlement: (name) => running.get(name)!,
    inspect: () => Promise.resolve(client.inspect()),
    close: () => client.close(),
    problems: () => Promise.resolve([]),
  }
}

describe.each(['tcp', 'ws'] as const)('a raw server over %s', (name) => {
  test.each(listOf('client', name))('$title', async ({ one }) => {
    const raw = await RawServer.listen({ ws: name === 'ws' })
    const address = { host: '127.0.0.1', port: raw.port }
    const to = name === 'tcp' ? tcp(address) : ws(`ws://127.0.0.1:${raw.port}/`)
    const client = createClient({ conf }, to, { limits: { ...one.limits } })
    try {
      const played = playClientCase(one, subjectOf(client), () => raw.accept())
      await expect(played).resolves.toBeUndefined()
    } finally {
      await client.close()
      await raw.close()
    }
  })
})
