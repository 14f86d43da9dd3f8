// The shared cases on every transport, with the client as caller, with the server as caller, and with
// both at once.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, safe, type Client } from '@callbox/client'
import { validate } from '@callbox/core/validate'
import {
  createServer,
  implement,
  silent,
  type Connection,
  type Server,
  type Transport,
} from '@callbox/server'
import { memory } from '@callbox/testing'
import { tcp, tls, unix } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { authority } from '../certificates.ts'
import { cases, serverCases, type Caller } from './cases.ts'
import { conf } from './contract.ts'
import { handlers } from './handlers.ts'
import { unhurried } from '../unhurried.ts'

interface Place {
  readonly listenOn: Transport
  readonly to: (port: number) => Transport
}

const host = '127.0.0.1'
const signer = authority()
const ca = signer.cert
const { cert, key } = signer.issue({ name: 'server', hosts: [host] })
let folder = ''

const places: Readonly<Record<string, () => Place>> = {
  memory() {
    const transport = memory()
    return { listenOn: transport, to: () => transport }
  },
  tcp: () => ({ listenOn: tcp({ host, port: 0 }), to: (port) => tcp({ host, port }) }),
  tls: () => ({
    listenOn: tls({ host, port: 0, cert, key }),
    to: (port) => tls({ host, port, ca }),
  }),
  unix() {
    const path = join(folder, 'socket')
    return { listenOn: unix({ path }), to: () => unix({ path }) }
  },
  ws: () => ({ listenOn: ws({ host, port: 0 }), to: (port) => ws(`ws://${host}:${port}/`) }),
  wss: () => ({
    listenOn: ws({ host, port: 0, cert, key }),
    to: (port) => ws(`wss://${host}:${port}/`, { ca }),
  }),
}

describe.each(Object.keys(places))('%s', (name) => {
  let server: Server
  let client: Client<{ conf: typeof conf }>
  let connection: Connection
  let place: Place
  let port: number

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'callbox-'))
    place = places[name]!()
    const { listenOn, to } = place
    server = createServer({
      services: [implement(conf, handlers())],
      logger: silent,
      limits: { preset: 'internal', ...unhurried },
      onConnection: (one) => {
        connection ??= one
      },
    })
    ;({ port } = await server.listen(listenOn))
    // Checks on this side too: what the server calls is served under the same rules.
    client = createClient({ conf }, to(port), { validate, limits: 'internal' })
    client.handle(conf, handlers())
    await client.conf.nothing()
  })

  afterAll(async () => {
    await client.close()
    await server.close({ graceMs: 0 })
    await rm(folder, { recursive: true, force: true })
  })

  describe('the client calls', () => {
    test.each([...cases, ...serverCases])('$title', ({ run }) => run(client.conf))
  })

  describe('[case C40] the server calls', () => {
    test.each([...cases, ...serverCases])('$title', ({ run }) => run(connection.client(conf)))
  })

  test('[case C45] a callee that is not spared by its caller says that it had begun', async () => {
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

  test('[case C73] the client goes away: the signals of its handlers fire at once', async () => {
    const leaving = createClient({ conf }, place.to(port))
    const id = `left over ${name}`
    const call = safe(leaving.conf.hang(id))
    await leaving.conf.nothing()
    await leaving.close()
    expect((await call)[0]).toMatchObject({ code: 'cancelled', processed: 'unknown' })
    await expect.poll(() => client.conf.aborted()).toContain(id)
  })

  test('[case C40] both call at once', async () => {
    const callers: readonly Caller[] = [client.conf, connection.client(conf)]
    for (const { title, run } of cases)
      if (!title.includes('C41')) await Promise.all(callers.map((caller) => run(caller)))
    expect(await client.conf.nothing()).toBeUndefined()
  })
})
