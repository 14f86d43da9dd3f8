// Random frames, good ones among bad, cut anywhere: both ends do what the oracle says.

import * as http from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sizes } from '../sizes.ts'
import { closeBody, type Case, type End, type Exchange } from './case.ts'
import { compress } from './deflate.ts'
import { Reception } from './drive-client.ts'
import { driveServer } from './drive-server.ts'
import { MemoryEnd } from './memory-line.ts'
import { judge } from './oracle.ts'
import { startClient, startServer, type SubjectServer } from './subject.ts'
import { Opcode, type Frame, type Role } from './wire.ts'

const deadlineMs = 10_000
const seed = 6_455
/** Each is a connection. */
const runs = sizes.propertyRuns / 4

const size = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 3, arbitrary: fc.constantFrom(124, 125, 126, 127, 200) },
  { weight: 1, arbitrary: fc.constantFrom(5_000, 65_535, 65_536) },
)
/** What a payload is made of: counterexamples name it in a few words. */
type Matter =
  | { readonly bytes: number; readonly from: number }
  | { readonly text: string; readonly upTo: number }
  | { readonly code: number; readonly reason: Matter }

const bytes: fc.Arbitrary<Matter> = fc.record({ bytes: size, from: fc.nat({ max: 255 }) })
/** UTF-8 as a whole; cut by a fragment it often is not. */
const words: fc.Arbitrary<Matter> = fc.record({
  text: fc.string({ unit: 'grapheme', maxLength: 40 }),
  upTo: fc.oneof(fc.constant(1_000), fc.nat({ max: 20 })),
})
const closing: fc.Arbitrary<Matter> = fc.oneof(
  fc.constant({ bytes: 0, from: 0 }),
  bytes,
  fc.record({
    code: fc.oneof(
      fc.constant(1000),
      fc.constantFrom(1001, 1011, 3000, 4999),
      fc.nat({ max: 6_000 }),
    ),
    reason: fc.oneof(words, words, bytes),
  }),
)

function made(matter: Matter): Uint8Array {
  if ('code' in matter) return closeBody(matter.code, made(matter.reason))
  if ('text' in matter) return Buffer.from(matter.text).subarray(0, matter.upTo)
  return Uint8Array.from({ length: matter.bytes }, (_, at) => matter.from + at * 7)
}

const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 60, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })

interface Drawn {
  readonly opcode: number
  readonly matter: Matter
  readonly fin: boolean
  readonly packed: boolean
  readonly rsv: number | undefined
  readonly form: 16 | 64 | undefined
  readonly masked: boolean | undefined
  readonly odd: number | undefined
}

const drawn: fc.Arbitrary<Drawn> = fc
  .oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant(Opcode.Text), fc.oneof(words, words, bytes)) },
    { weight: 5, arbitrary: fc.tuple(fc.constant(Opcode.Binary), bytes) },
    { weight: 3, arbitrary: fc.tuple(fc.constantFrom(Opcode.Ping, Opcode.Pong), words) },
    { weight: 1, arbitrary: fc.tuple(fc.constant(Opcode.Close), closing) },
  )
  .chain(([opcode, matter]) =>
    fc.record({
      opcode: fc.constant(opcode),
      matter: fc.constant(matter),
      fin: fc.boolean(),
      packed: fc.boolean(),
      rsv: rarely(fc.integer({ min: 1, max: 7 })),
      form: rarely(fc.constantFrom<16 | 64>(16, 64)),
      masked: rarely(fc.boolean()),
      odd: rarely(fc.nat({ max: 15 })),
    }),
  )

/** Most of what is drawn is made to follow the one before, so that more than the first frame counts. */
function framesOf(all: readonly Drawn[], deflate: boolean): readonly Frame[] {
  let inside = false
  return all.map((one) => {
    const control = one.opcode >= 8
    const opcode = one.odd ?? (control || !inside ? one.opcode : Opcode.Continuation)
    const starts = opcode === Opcode.Text || opcode === Opcode.Binary
    const packs = deflate && one.packed && starts && one.fin
    const plain = made(one.matter)
    const payload = packs ? compress(plain) : plain
    if (!control) inside = !one.fin
    return {
      opcode,
      fin: control || one.fin,
      payload,
      rsv: one.rsv ?? (packs ? 4 : 0),
      // What does not fit in 16 bits has to have 64.
      ...(one.form === undefined ? {} : { form: payload.length > 65_535 ? 64 : one.form }),
      ...(one.masked === undefined ? {} : { masked: one.masked }),
    }
  })
}

/** `steps`: each answer is awaited. Otherwise everything is sent at once. */
function caseOf(frames: readonly Frame[], to: Role, deflate: boolean, steps: boolean): Case {
  const { answers, end } = judge(frames, to, deflate)
  const stepwise = frames.map((frame, at): Exchange => ({
    send: [frame],
    expect: answers[at] ?? [],
  }))
  // A pong may be left out where another ping follows, and an end leaves no time for one.
  const due = answers.flat()
  const last = end.kind === 'open' ? due.findLastIndex(({ kind }) => kind === 'pong') : -1
  const atOnce = {
    send: frames,
    expect: due.map((one, at) => (one.kind === 'pong' ? { ...one, optional: at !== last } : one)),
  }
  const parameters = 'server_no_context_takeover; client_no_context_takeover'
  const offer = [['Sec-WebSocket-Extensions', `permessage-deflate; ${parameters}`]] as const
  return {
    title: 'random',
    section: 'RFC 6455 5',
    exchange: steps ? stepwise.slice(0, answers.length + 1) : [atOnce],
    end,
    ...(deflate
      ? { request: { headers: offer, extension: 'deflate' }, answer: { headers: offer } }
      : {}),
  }
}

function kindOf(end: End): string {
  if (end.kind !== 'close') return end.kind
  const [code] = end.codes
  return code === 1002 || code === 1007 ? `${code}` : 'good close'
}

let server: SubjectServer
let ids = 0
beforeAll(async () => {
  server = await startServer('echo')
})
afterAll(() => server.close())

type Pieces = (total: number) => number

const against: Record<Role, (one: Case, pieces: Pieces) => Promise<void>> = {
  server: async (one, pieces) => {
    const [near, far] = MemoryEnd.pair((ids -= 1))
    server.server.emit('connection', far)
    const place = { host: `127.0.0.1:${server.port}`, path: '/' }
    await driveServer(one, { stream: near, split: true, pieces }, place, deadlineMs)
  },
  client: async (one, pieces) => {
    const reception = new Reception(deadlineMs)
    const driven = reception.expect('/', one)
    const agent = new http.Agent()
    agent.createConnection = () => {
      const [near, far] = MemoryEnd.pair(0)
      void reception.accept(far, true, pieces)
      return near
    }
    const client = startClient('ws://127.0.0.1:1/', 'echo', agent)
    await driven
    await (
      await client
    ).told
    agent.destroy()
  },
}

describe.each(['server', 'client'] as const)('%s', (role) => {
  test.each([
    // What is still being compressed when a rule is broken need not be sent: answers are awaited.
    { how: 'with permessage-deflate', deflate: true, steps: true },
    { how: 'frame by frame', deflate: false, steps: true },
    { how: 'all at once', deflate: false, steps: false },
  ])('random frames, $how', { timeout: 300_000 }, async ({ deflate, steps }) => {
    const ends = new Map<string, number>()
    const pieces = fc.constantFrom(1, 2, 3, 7, 64, 1_000, 1_000_000)
    const property = fc.asyncProperty(
      fc.array(drawn, { minLength: 1, maxLength: 12 }),
      pieces,
      async (all, piece) => {
        const one = caseOf(framesOf(all, deflate), role, deflate, steps)
        const kind = kindOf(one.end!)
        ends.set(kind, (ends.get(kind) ?? 0) + 1)
        // Long ones in pieces of a byte would take most of the time and show nothing new.
        await against[role](one, (total) => (total > 5_000 ? Math.max(piece, 64) : piece))
      },
    )
    await fc.assert(property, { numRuns: runs, seed })
    // A generator that only ever breaks the first rule would prove little.
    const kinds = ['open', 'good close', '1002', '1007']
    const few = kinds.filter((kind) => (ends.get(kind) ?? 0) < runs / 50)
    expect({ few, ends: Object.fromEntries(ends) }).toMatchObject({ few: [] })
  })
})
