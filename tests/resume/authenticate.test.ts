// Credentials: before the first call, while a session lasts, when they expire. On the virtual clock.

import { createClient, safe, type ClientOptions } from '@callbox/client'
import { contract, unary } from '@callbox/core'
import { createServer, implementFor, silent, type Server } from '@callbox/server'
import { VirtualClock } from '@callbox/testing'
import {
  errorOf,
  fromMsgpack,
  rawCancel,
  rawFrame,
  rawNotify,
  rawPing,
  rawRequest,
  toMsgpack,
  valueOf,
} from '@callbox/testing/node'
import * as T from 'typebox'
import { afterEach, expect, test } from 'vitest'
import { Cuttable } from './cuttable.ts'
import { codes, RawLink, types } from './raw-link.ts'

const desk = contract('desk', {
  who: unary({ output: T.String() }),
  /** Answers half a second later, with who it was when it began. */
  slow: unary({ output: T.String() }),
  name: unary({ input: T.String(), output: T.String(), idempotent: true }),
})

interface Desk {
  readonly clock: VirtualClock
  readonly transport: Cuttable
  readonly server: Server
  readonly ran: string[]
  /** Every credential that `authenticate` has seen. */
  readonly seen: unknown[]
}

interface DeskOptions {
  /** How long `authenticate` takes, in milliseconds. */
  readonly takesMs?: number
  /** How long a credential lasts, in milliseconds. */
  readonly lastsMs?: number
}

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A credential is `principal:version`; one that begins with `bad` is refused. */
async function openDesk({ takesMs = 0, lastsMs }: DeskOptions = {}): Promise<Desk> {
  const clock = new VirtualClock()
  const transport = new Cuttable()
  const ran: string[] = []
  const seen: unknown[] = []
  const pause = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimer(resolve, ms))
  const server = createServer({
    services: [
      implementFor<{ readonly full: string }>()(desk, {
        who: (_, { context }) => {
          ran.push(`who ${context.full}`)
          return context.full
        },
        slow: async (_, { context }) => {
          ran.push(`slow ${context.full}`)
          await pause(500)
          return context.full
        },
        name: (text) => {
          ran.push(`name ${text}`)
          return text
        },
      }),
    ],
    authenticate: async ({ credential }) => {
      seen.push(credential)
      if (takesMs > 0) await pause(takesMs)
      if (typeof credential !== 'string' || credential.startsWith('bad')) throw new Error('no')
      return {
        full: credential,
        principal: credential.split(':')[0],
        ...(lastsMs === undefined ? {} : { expiresAt: new Date(Date.now() + lastsMs) }),
      }
    },
    logger: silent,
    clock,
  })
  await server.listen(transport)
  closers.push(async () => {
    const closing = server.close({ graceMs: 0 })
    await clock.advance(2_000)
    await closing
  })
  return { clock, transport, server, ran, seen }
}

function clientOf({ clock, transport }: Desk, options: ClientOptions) {
  const client = createClient({ desk }, transport, { clock, ...options })
  closers.push(() => client.close())
  return client
}

async function connect({ clock, transport }: Desk, auth?: unknown): Promise<RawLink> {
  const raw = await RawLink.connect(transport)
  raw.hello({ auth })
  await clock.settle()
  return raw
}

const who = (id: number): Uint8Array => rawRequest({ id, method: 'desk.who' })
const auth = (credential: unknown): Uint8Array =>
  rawFrame(0x08, 0, 0, toMsgpack({ auth: credential }))

test('a credential that is refused: no handler ran, every call fails unauthenticated [case C20] [threat T2]', async () => {
  const at = await openDesk()
  const raw = await RawLink.connect(at.transport)
  raw.hello({ auth: 'bad' })
  raw.send(who(1), who(3), who(5))
  await at.clock.settle()
  expect(raw.goAway).toMatchObject({ code: codes.unauthenticated, reason: 'not authenticated' })
  expect(raw.of(types.welcome)).toEqual([])
  await at.clock.advance(1_000)
  expect(raw.closed).toBe(true)
  expect(at.ran).toEqual([])
})

test('the client sends a refused credential once, and asks for another before the next try [case C20]', async () => {
  const at = await openDesk()
  let asked = 0
  const client = clientOf(at, {
    credential: () => {
      asked += 1
      return asked === 1 ? 'bad' : 'ada:2'
    },
  })
  const failed = await Promise.all([1, 2, 3].map(() => safe(client.desk.who())))
  for (const [error] of failed)
    expect(error).toMatchObject({ code: 'unauthenticated', processed: 'no' })
  expect(at.ran).toEqual([])
  const call = client.desk.who()
  await at.clock.advance(2_000)
  expect(await call).toBe('ada:2')
  expect(at.seen).toEqual(['bad', 'ada:2'])
})

test('authenticate may take its time, within the budget of the handshake [case C21]', async () => {
  const at = await openDesk({ takesMs: 1_000 })
  const bad = await connect(at, 'bad')
  const good = await connect(at, 'ada:1')
  good.send(who(1))
  await at.clock.advance(999)
  expect([bad.goAway, good.welcome, at.ran]).toEqual([undefined, undefined, []])
  await at.clock.advance(1)
  expect(bad.goAway?.code).toBe(codes.unauthenticated)
  expect(good.welcome?.resumed).toBe(false)
  expect(at.ran).toEqual(['who ada:1'])
})

test('authenticate that takes six seconds: closed at five, and its late result lets nobody in [case C21]', async () => {
  const at = await openDesk({ takesMs: 6_000 })
  const raw = await connect(at, 'ada:1')
  raw.send(who(1))
  await at.clock.advance(4_999)
  expect(raw.goAway).toBeUndefined()
  await at.clock.advance(1)
  expect(raw.goAway?.code).toBe(codes.unauthenticated)
  await at.clock.advance(10_000)
  expect(raw.closed).toBe(true)
  expect(raw.of(types.welcome)).toEqual([])
  expect(at.ran).toEqual([])
  expect(at.server.inspect()).toMatchObject({ arriving: 0, connections: [] })
})

test('three requests behind HELLO wait for authenticate, and are answered with WELCOME [case C22] [threat T2]', async () => {
  const at = await openDesk({ takesMs: 100 })
  const raw = await RawLink.connect(at.transport)
  raw.hello({ auth: 'ada:1' })
  raw.send(who(1), who(3), who(5))
  await at.clock.advance(99)
  expect(raw.frames).toEqual([])
  await at.clock.advance(1)
  expect(raw.frames.map(({ type }) => type).slice(0, 4)).toEqual([
    types.welcome,
    types.data,
    types.data,
    types.data,
  ])
  expect(raw.of(types.data).map(valueOf)).toEqual(['ada:1', 'ada:1', 'ada:1'])
})

test('CANCEL behind HELLO is for what stands behind HELLO too [case C22]', async () => {
  const at = await openDesk({ takesMs: 100 })
  const raw = await RawLink.connect(at.transport)
  raw.hello({ auth: 'ada:1' })
  raw.send(rawRequest({ id: 1, method: 'desk.slow' }), rawCancel(1), who(3))
  await at.clock.advance(2_000)
  expect(raw.of(types.data).map(({ id }) => id)).toEqual([3])
  expect(raw.goAway).toBeUndefined()
})

const many = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => who(2 * index + 1))
const long = (bytes: number): Uint8Array =>
  rawRequest({ id: 1, method: 'desk.name', value: 'x'.repeat(bytes) })

test('16 calls and 64 KiB may stand behind HELLO [case C22]', async () => {
  const at = await openDesk({ takesMs: 100 })
  for (const frames of [many(16), [long(64 * 1024 - 40)]]) {
    const raw = await RawLink.connect(at.transport)
    raw.hello({ auth: 'ada:1' })
    raw.send(...frames)
    await at.clock.advance(200)
    expect(raw.of(types.data)).toHaveLength(frames.length)
  }
})

test.each([
  ['a 17th call', many(17)],
  ['more than 64 KiB', [long(40_000), long(40_000)]],
  ['a call by id', [rawRequest({ id: 1, method: 0 })]],
  ['a call that goes on', [rawRequest({ id: 1, method: 'desk.who', open: true })]],
  ['an event', [rawNotify('desk.who')]],
  ['PING', [rawPing()]],
  ['AUTH', [auth('ada:2')]],
  ['a second HELLO', [rawFrame(0x01, 0, 0)]],
])(
  '%s before WELCOME is refused, and nothing runs [case C22] [case C23] [threat T2]',
  async (_, frames) => {
    const at = await openDesk({ takesMs: 100 })
    const raw = await RawLink.connect(at.transport)
    raw.hello({ auth: 'ada:1' })
    raw.send(...frames)
    await at.clock.advance(1_000)
    expect(raw.goAway?.code).toBe(codes.protocol)
    expect(raw.closed).toBe(true)
    expect(at.ran).toEqual([])
  },
)

test('AUTH: what comes after its answer has the new context, what runs keeps the old [case C26]', async () => {
  const at = await openDesk({ takesMs: 100 })
  const raw = await connect(at, 'ada:1')
  await at.clock.advance(100)
  raw.send(rawRequest({ id: 1, method: 'desk.slow' }), auth('ada:2'), who(3))
  await at.clock.advance(50)
  raw.send(who(5))
  await at.clock.advance(50)
  expect(raw.of(types.auth).map(({ body }) => fromMsgpack(body))).toEqual([{}])
  raw.send(who(7))
  await at.clock.advance(1_000)
  const answers = new Map(raw.of(types.data).map((frame) => [frame.id, valueOf(frame)]))
  expect(answers.get(1)).toBe('ada:1')
  expect(answers.get(3)).toBe('ada:1')
  expect(answers.get(5)).toBe('ada:1')
  expect(answers.get(7)).toBe('ada:2')
})

test.each([
  ['of another principal', 'bob:1', codes.unauthenticated],
  ['that is refused', 'bad', codes.unauthenticated],
])('AUTH %s ends the session [case C26] [threat T3]', async (_, credential, code) => {
  const at = await openDesk()
  const raw = await connect(at, 'ada:1')
  const { id, token } = raw.welcome!.session!
  raw.send(auth(credential), who(1))
  await at.clock.advance(1_000)
  expect(raw.goAway?.code).toBe(code)
  expect(raw.closed).toBe(true)
  const again = await RawLink.connect(at.transport)
  again.hello({ auth: 'ada:1', session: { id, token, received: 0 } })
  await at.clock.settle()
  expect(again.welcome?.resumed).toBe(false)
})

test('AUTH before the answer to the last one breaks the rule [case C26]', async () => {
  const at = await openDesk({ takesMs: 100 })
  const raw = await connect(at, 'ada:1')
  await at.clock.advance(100)
  raw.send(auth('ada:2'), auth('ada:3'))
  await at.clock.advance(200)
  expect(raw.goAway?.code).toBe(codes.protocol)
})

test('a client renews its credential 60 s before it expires [threat T3] [case C26]', async () => {
  const at = await openDesk({ lastsMs: 300_000 })
  let version = 0
  const client = clientOf(at, { credential: () => `ada:${(version += 1)}` })
  expect(await client.desk.who()).toBe('ada:1')
  await at.clock.advance(239_000)
  expect(at.seen).toEqual(['ada:1'])
  await at.clock.advance(2_000)
  expect(at.seen).toEqual(['ada:1', 'ada:2'])
  const call = client.desk.who()
  await at.clock.settle()
  expect(await call).toBe('ada:2')
  // And so on: the first link lives for ever.
  await at.clock.advance(1_000_000)
  expect(at.transport.dials).toBe(1)
  expect(at.seen.length).toBeGreaterThan(4)
})

test('without a new credential the server ends the session 5 s after the old one is over [threat T3]', async () => {
  const at = await openDesk({ lastsMs: 100_000 })
  const raw = await connect(at, 'ada:1')
  expect(raw.welcome?.expiresInMs).toBeGreaterThan(99_000)
  // Answers PINGs, or the link would be given up for silence.
  const answer = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      await at.clock.advance(1_000)
      if (passed % 10_000 === 0) raw.send(rawPing())
    }
  }
  await answer(104_000)
  expect(raw.goAway).toBeUndefined()
  await answer(2_000)
  expect(raw.goAway).toEqual({ code: codes.unauthenticated, reason: 'expired' })
  expect(raw.closed).toBe(true)
})

test('a credential that comes late, in the five seconds, is good [threat T3]', async () => {
  const at = await openDesk({ lastsMs: 10_000 })
  const raw = await connect(at, 'ada:1')
  await at.clock.advance(14_000)
  raw.send(auth('ada:2'))
  await at.clock.advance(8_000)
  expect(raw.goAway).toBeUndefined()
})

test('the link is cut before the answer to AUTH: HELLO has the newest credential [case C26]', async () => {
  const at = await openDesk({ lastsMs: 300_000 })
  let version = 0
  const client = clientOf(at, { credential: () => `ada:${(version += 1)}` })
  expect(await client.desk.who()).toBe('ada:1')
  let cut = false
  at.transport.fate = (way, frame) => {
    if (cut || way === 'up' || frame[0] !== types.auth) return 'pass'
    cut = true
    return 'cut before'
  }
  let resumed = 0
  client.on('resumed', () => (resumed += 1))
  await at.clock.advance(250_000)
  expect(cut).toBe(true)
  expect(resumed).toBe(1)
  expect(at.seen).toEqual(['ada:1', 'ada:2', 'ada:3'])
  const call = client.desk.who()
  await at.clock.settle()
  expect(await call).toBe('ada:3')
})

test('a credential function that fails once costs one attempt [case C20]', async () => {
  const at = await openDesk()
  let asked = 0
  const client = clientOf(at, {
    credential: () => {
      asked += 1
      if (asked === 1) throw new Error('the vault is closed')
      return 'ada:1'
    },
  })
  expect((await safe(client.desk.who()))[0]).toMatchObject({
    code: 'unauthenticated',
    processed: 'no',
  })
  const call = client.desk.who()
  await at.clock.advance(2_000)
  expect(await call).toBe('ada:1')
})

test('the error of a failed AUTH names no cause [threat T2]', async () => {
  const at = await openDesk()
  const raw = await connect(at, 'bad')
  expect(JSON.stringify(raw.goAway)).not.toContain('bad')
  const good = await connect(at, 'ada:1')
  good.send(rawRequest({ id: 1, method: 'desk.nothing' }))
  await at.clock.settle()
  expect(errorOf(good.of(types.error)[0]!).code).toBe(12)
})
