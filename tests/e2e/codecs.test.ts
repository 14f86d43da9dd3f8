// Which codec a call has: agreed in the handshake, told by how the call names its method, and changed
// under calls that wait for another session.

import { createClient, safe, type Client } from '@callbox/client'
import { createClient as createCompactClient } from '@callbox/client/compact'
import {
  bidi,
  clientStream,
  contract,
  contractHash,
  event,
  serverStream,
  unary,
} from '@callbox/core'
import { compact } from '@callbox/core/compact'
import { validate } from '@callbox/core/validate'
import { createServer, implement, silent, type Connection, type Server } from '@callbox/server'
import { memory } from '@callbox/testing'
import {
  hex,
  rawFrame,
  RawPeer,
  rawRequest,
  toHex,
  toMsgpack,
  valueOf,
} from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import * as T from 'typebox'
import { afterEach, expect, test } from 'vitest'

const Point = T.Object({ x: T.Integer(), y: T.Optional(T.Integer()) })
const Capped = T.Object({ n: T.Integer({ maximum: 9 }) })

const points = contract(
  'points',
  {
    capped: unary({ input: Capped, output: Capped }),
    collect: clientStream({ params: Point, input: Point, output: T.Array(Point) }),
    echo: unary({ input: Point, output: Point, errors: { Odd: Point } }),
    events: unary({ output: T.Array(Point) }),
    mirror: bidi({ params: Point, input: Point, output: Point }),
    note: event({ input: Point }),
    upTo: serverStream({ input: Point, output: Point }),
  },
  { client: { ask: unary({ input: Point, output: Point }), tell: event({ input: Point }) } },
)
/** Ids are given by sorted name. */
const echoId = 2
const noteId = 5

function service() {
  const notes: T.Static<typeof Point>[] = []
  return implement(points, {
    capped: (input) => input,
    collect: async (params, call) => {
      const all = [params]
      for await (const item of call.input) all.push(item)
      return all
    },
    echo: (input, call) => {
      if (input.x % 2 === 1) throw call.errors.Odd(input)
      return input
    },
    events: () => notes.splice(0),
    mirror: async function* (params, call) {
      yield params
      yield* call.input
    },
    note: (input) => void notes.push(input),
    upTo: async function* ({ x }) {
      for (let n = 0; n < x; n += 1) yield { x: n }
    },
  })
}

const host = '127.0.0.1'
const open: { close(): Promise<unknown> }[] = []
const kept = <C extends { close(): Promise<unknown> }>(one: C): C => {
  open.unshift(one)
  return one
}
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function rawServer(codecs?: Parameters<typeof createServer>[0]['codecs']): Promise<number> {
  const server = createServer({ services: [service()], logger: silent, codecs })
  const { port } = await server.listen(tcp({ host, port: 0 }))
  kept({ close: () => server.close({ graceMs: 0 }) })
  return port
}

async function rawClient(port: number, codecs: readonly string[]) {
  const peer = await RawPeer.connect({ host, port })
  kept({ close: () => peer.destroy() })
  const contracts = [['points', contractHash(points)]]
  const { body } = await peer.handshake({ codecs, contracts })
  const welcome = valueOf({ body: body.subarray(4) } as never) as {
    readonly codec: string
    readonly session: { readonly id: Uint8Array; readonly token: Uint8Array }
  }
  return { peer, codec: welcome.codec, session: welcome.session }
}

/** A REQUEST by id, with END. */
const byId = (id: number, method: number, payload: string): Uint8Array =>
  rawFrame(0x10, 0x02, id, Uint8Array.of(0, method), hex(payload))

test('compact1 where both have it: calls by id in it, calls by name in msgpack', async () => {
  const { peer, codec } = await rawClient(await rawServer(), ['msgpack', 'compact1'])
  expect(codec).toBe('compact1')
  // {x: 4, y: -1}: y is present; 4 and -1 as zigzag.
  peer.sendFrames(byId(1, echoId, '01 08 01'))
  const answer = await peer.nextOf(0x11)
  expect([answer.id, toHex(answer.body)]).toEqual([1, '010801'])
  peer.sendFrames(rawRequest({ id: 3, method: 'points.echo', value: { x: 4, y: -1 } }))
  expect(toHex((await peer.nextOf(0x11)).body)).toBe(toHex(toMsgpack({ x: 4, y: -1 })))
  // What an error carries is msgpack always.
  peer.sendFrames(byId(5, echoId, '00 02'))
  const { body } = await peer.nextOf(0x13)
  expect(valueOf({ body: body.subarray(2) } as never)).toEqual(['Odd', 'Odd', { x: 1 }])
  // The path, never the value; the handler did not run.
  peer.sendFrames(byId(7, echoId, '01 08 8000'))
  const refusal = await peer.nextOf(0x13)
  expect([refusal.body[0], refusal.body[1]! & 1]).toEqual([3, 1])
  expect(valueOf({ body: refusal.body.subarray(2) } as never)).toEqual([
    expect.stringMatching(/^\/y: /),
  ])
  peer.sendFrames(rawFrame(0x16, 0, 0, Uint8Array.of(0, noteId), hex('00 04')))
  peer.sendFrames(rawRequest({ id: 9, method: 'points.events' }))
  expect(toHex((await peer.nextOf(0x11)).body)).toBe(toHex(toMsgpack([{ x: 2 }])))
})

test.each([
  ['the client has msgpack alone', undefined, ['msgpack']],
  ['the server has msgpack alone', [], ['compact1', 'msgpack']],
])('msgpack where %s', async (_, own, offered) => {
  const { peer, codec } = await rawClient(await rawServer(own), offered)
  expect(codec).toBe('msgpack')
  peer.sendFrames(rawFrame(0x10, 0x02, 1, Uint8Array.of(0, echoId), toMsgpack({ x: 4 })))
  expect(toHex((await peer.nextOf(0x11)).body)).toBe(toHex(toMsgpack({ x: 4 })))
})

test('a session goes on in its own codec, or not at all', async () => {
  const port = await rawServer()
  const contracts = [['points', contractHash(points)]]
  const first = await rawClient(port, ['msgpack', 'compact1'])
  const sessionOf = async (codecs: readonly string[], session: object): Promise<unknown> => {
    const again = await RawPeer.connect({ host, port })
    kept({ close: () => again.destroy() })
    const { body } = await again.handshake({ codecs, contracts, session })
    return valueOf({ body: body.subarray(4) } as never)
  }
  const { id, token } = first.session
  await first.peer.destroy()
  const session = { id, token, received: 0 }
  expect(await sessionOf(['msgpack'], session)).toMatchObject({ resumed: false, codec: 'msgpack' })
  expect(await sessionOf(['compact1', 'msgpack'], session)).toMatchObject({
    resumed: true,
    codec: 'compact1',
  })
})

test('no codec in common is a broken rule that names ours', async () => {
  const peer = await RawPeer.connect({ host, port: await rawServer() })
  kept({ close: () => peer.destroy() })
  await expect(peer.handshake({ codecs: ['compact2'] })).rejects.toThrow()
})

type Calls = Client<{ points: typeof points }>

/** Every kind of call, made at once: as far as they can be, before there is a connection. */
async function everyKind(client: Calls): Promise<unknown> {
  const match = client.points.mirror({ x: 10 })
  const first = match.send({ x: 11, y: 1 })
  const second = match.send({ x: 12 })
  async function* some() {
    yield { x: 1 }
    yield { x: 2, y: 2 }
  }
  const collected = client.points.collect({ x: 0 }, some())
  const noted = client.points.note({ x: 5 })
  const echoed = client.points.echo({ x: 2, y: undefined as never })
  const odd = safe(client.points.echo({ x: 3 }))
  const listed = (async () => {
    const all: unknown[] = []
    for await (const item of client.points.upTo({ x: 3 })) all.push(item)
    return all
  })()
  await first
  await second
  match.end()
  const mirrored: unknown[] = []
  for await (const item of match) mirrored.push(item)
  await noted
  const [error] = await odd
  return {
    mirrored,
    collected: await collected,
    echoed: await echoed,
    odd: error?.tag === 'Odd' ? error.data : error,
    listed: await listed,
    noted: await client.points.events(),
  }
}

const everything = {
  mirrored: [{ x: 10 }, { x: 11, y: 1 }, { x: 12 }],
  collected: [{ x: 0 }, { x: 1 }, { x: 2, y: 2 }],
  echoed: { x: 2 },
  odd: { x: 3 },
  listed: [{ x: 0 }, { x: 1 }, { x: 2 }],
  noted: [{ x: 5 }],
}

interface Pairing {
  readonly title: string
  readonly client: (transport: ReturnType<typeof memory>) => Calls
  readonly server?: Parameters<typeof createServer>[0]['codecs']
}

const pairings: readonly Pairing[] = [
  { title: 'defaults', client: (to) => createClient({ points }, to) },
  {
    title: 'a client with msgpack alone',
    client: (to) => createClient({ points }, to, { codecs: [] }),
  },
  {
    title: 'a server with msgpack alone',
    client: (to) => createClient({ points }, to),
    server: [],
  },
  {
    title: 'a client with the compact codec only',
    client: (to) => createCompactClient({ points }, to),
  },
  {
    title: 'that one, and a server with msgpack alone',
    client: (to) => createCompactClient({ points }, to),
    server: [],
  },
  {
    title: 'codecs by option',
    client: (to) => createClient({ points }, to, { codecs: [compact()], validate }),
    server: [compact()],
  },
]

test.each(pairings)(
  'every kind of call, both ways: $title',
  async ({ client: make, server: own }) => {
    const transport = memory()
    let connection: Connection | undefined
    const server = createServer({
      services: [service()],
      logger: silent,
      codecs: own,
      onConnection: (one) => (connection = one),
    })
    await server.listen(transport)
    const client = make(transport)
    kept({ close: () => server.close({ graceMs: 0 }) })
    kept(client)
    const told: unknown[] = []
    client.handle(points, {
      ask: ({ x }) => ({ x: x + 1 }),
      tell: (input) => void told.push(input),
    })
    // Before the connection, and with it.
    expect(await everyKind(client)).toEqual(everything)
    expect(await everyKind(client)).toEqual(everything)
    expect(await connection!.client(points).ask({ x: 1 })).toEqual({ x: 2 })
    await connection!.client(points).tell({ x: 1, y: 2 })
    await expect.poll(() => told).toEqual([{ x: 1, y: 2 }])
    // Constraints are the validator's, structure the codec's: both name the path.
    for (const wrong of [{ n: 10 }, { n: 'x' }]) {
      const [error] = await safe(client.points.capped(wrong as { n: number }))
      expect(error).toMatchObject({ code: 'invalid_argument', processed: 'no' })
      expect(error?.message).toMatch(/^\/n: /)
    }
  },
)

test('an invalid value that waits for its connection goes by name: the server says what is wrong', async () => {
  const transport = memory()
  const client = kept(createClient({ points }, transport))
  const early = safe(client.points.echo({ x: 'no' } as never))
  const server = createServer({ services: [service()], logger: silent })
  kept({ close: () => server.close({ graceMs: 0 }) })
  await server.listen(transport)
  const [error] = await early
  expect(error).toMatchObject({ code: 'invalid_argument', processed: 'no' })
  expect(error?.message).toMatch(/^\/x: /)
})

test('calls that wait for another session follow its codec, there and back', async () => {
  const transport = memory()
  let held = 0
  const serve = async (codecs: Parameters<typeof createServer>[0]['codecs']): Promise<Server> => {
    // One slot: a second call waits, encoded.
    const server = createServer({
      services: [
        implement(points, {
          capped: (input) => input,
          collect: async (params, call) => {
            const all = [params]
            for await (const item of call.input) all.push(item)
            return all
          },
          // Holds the slot until its server goes away.
          echo: (_, call) =>
            new Promise((_resolve, reject) => {
              held += 1
              call.signal.addEventListener('abort', () => reject(new Error('gone')))
            }),
          events: () => [],
          mirror: async function* (params, call) {
            yield params
            yield* call.input
          },
          note: () => undefined,
          upTo: async function* ({ x }) {
            yield { x }
          },
        }),
      ],
      logger: silent,
      codecs,
      limits: { preset: 'internal', maxCalls: 1 },
    })
    await server.listen(transport)
    return server
  }
  const client = kept(createClient({ points }, transport, { limits: 'internal' }))
  let server = await serve(undefined)
  for (const [index, next] of [[], undefined, []].entries()) {
    const hold = safe(client.points.echo({ x: 2 }))
    // Encoded for this session.
    await expect.poll(() => held).toBe(index + 1)
    const waiting = safe(client.points.capped({ n: 5 }))
    const match = client.points.mirror({ x: 7 })
    const sent = match.send({ x: 8 })
    match.end()
    expect(client.inspect().connection?.calls.waitingForSlot).toBe(2)
    await server.close({ graceMs: 0 })
    await hold
    server = await serve(next)
    expect(await waiting).toEqual([undefined, { n: 5 }])
    await sent
    const mirrored: unknown[] = []
    for await (const item of match) mirrored.push(item)
    expect(mirrored).toEqual([{ x: 7 }, { x: 8 }])
  }
  await client.close()
  await server.close({ graceMs: 0 })
})
