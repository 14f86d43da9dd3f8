// What a peer may not do: ids, floods, frames that never end.
//   in  -> a raw client
//   out -> cases C16, C81, C121 to C128

import {
  hex,
  joined,
  rawAck,
  rawCancel,
  rawCredit,
  rawData,
  rawEnd,
  rawFrame,
  rawHello,
  rawPing,
  rawRequest,
} from '../raw-frames.ts'
import { toMsgpack } from '../raw-msgpack.ts'
import type { WireCase } from './case.ts'
import { answered, Code, expects, send, type Step } from './steps.ts'

const server = { where: 'L', tests: 'server' } as const
const protocol = { goAway: Code.protocol }
const calm = { goAway: Code.resourceExhausted, reason: 'calm' }

const wrongId = (title: string, ...frames: readonly Uint8Array[]): WireCase => ({
  id: 'C124',
  title,
  ...server,
  steps: [
    send(rawRequest({ id: 5, method: 'conf.hang', value: 'c124' })),
    ...answered(7),
    send(...frames),
  ],
  ends: protocol,
})
const request = (id: number): Uint8Array => rawRequest({ id, method: 'conf.nothing' })

const idCases: readonly WireCase[] = [
  wrongId('REQUEST on an open id', request(5)),
  wrongId('REQUEST with an even id from the client', request(8)),
  wrongId('REQUEST with an id that is not ahead', request(3)),
  wrongId('REQUEST with the id before', request(7)),
  wrongId('REQUEST with id 0', request(0)),
  wrongId('REQUEST with an id of 2^30', request(2 ** 30 + 1)),
  wrongId('REQUEST with an id half of the range ahead', request(7 + 2 ** 29)),
  wrongId('DATA for an id that was never opened', rawData(9, 1)),
  wrongId('END for an id that was never opened', rawEnd(9)),
  wrongId('CANCEL for an id that was never opened', rawCancel(9)),
  wrongId('CREDIT for an id that was never opened', rawCredit(9, 1)),
  wrongId('CANCEL for an id of the server that was never opened', rawCancel(2)),
  wrongId('DATA with id 0', rawData(0, 1)),
  wrongId('DATA after END', rawData(5, 1)),
  wrongId('END after END', rawEnd(5)),
  wrongId('a stream id on PING', rawFrame(0x03, 0, 1, new Uint8Array(12))),
  wrongId('a stream id on NOTIFY', rawFrame(0x16, 8, 1, hex('00'))),
  wrongId('a PING of 11 bytes', rawFrame(0x03, 0, 0, new Uint8Array(11))),
  wrongId('a CANCEL of two bytes', rawFrame(0x14, 0, 5, hex('0101'))),
  wrongId('a position that was never sent', rawAck(9_999)),
  {
    id: 'C125',
    title: 'ids cross the wrap while three long calls stay open',
    ...server,
    steps: wrapping(),
    nextId: 301,
  },
]

/** Long calls at 2^29 - 1, 2^30 - 5 and 2^30 - 3; then 100 calls from 2^30 - 1 over 1, 3, 5 ... */
function wrapping(): readonly Step[] {
  const top = 2 ** 30
  const long = [top / 2 - 1, top - 5, top - 3]
  const ids = Array.from({ length: 100 }, (_, n) => (top - 1 + 2 * n) % top)
  return [
    ...long.map((id) => send(rawRequest({ id, method: 'conf.stubborn', value: `wrap ${id}` }))),
    ...ids.flatMap((id) => answered(id)),
    ...long.flatMap((id, n) => [
      send(rawRequest({ id: 201 + 2 * n, method: 'conf.release', value: `wrap ${id}` })),
      {
        do: 'expect all',
        frames: [
          { frame: 'DATA', id },
          { frame: 'DATA', id: 201 + 2 * n },
        ],
      } as const,
    ]),
  ]
}

const pairs = (count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, n) => [
    rawRequest({ id: 2 * n + 1, method: 'conf.hang', value: `pair ${n}` }),
    rawCancel(2 * n + 1),
  ]).flat()

const floodCases: readonly WireCase[] = [
  {
    id: 'C121',
    title: 'calls opened and cancelled in one write: the budget of resets ends the connection',
    ...server,
    steps: [send(...pairs(2_000))],
    ends: calm,
  },
  {
    id: 'C121',
    title: '200 resets at once are within the budget',
    ...server,
    steps: [send(...pairs(200)), ...answered(1_001)],
  },
  {
    id: 'C122',
    title: 'errors that the client provokes cost the same budget',
    ...server,
    steps: [
      send(
        ...Array.from({ length: 2_000 }, (_, n) =>
          rawRequest({ id: 2 * n + 1, method: 'conf.strict', value: { n: 10 } }),
        ),
      ),
      expects({ frame: 'ERROR', id: 1, code: Code.invalidArgument, processed: 'no' }),
    ],
    ends: calm,
  },
  {
    id: 'C123',
    title: 'a flood of PING',
    ...server,
    steps: [send(...Array.from({ length: 1_000 }, () => rawPing()))],
    ends: { goAway: Code.resourceExhausted, reason: 'pingBurst' },
  },
  {
    id: 'C123',
    title: 'a flood of LIMITS',
    ...server,
    steps: [
      send(
        ...Array.from({ length: 1_000 }, () => rawFrame(0x07, 0, 0, toMsgpack({ maxCalls: 9 }))),
      ),
    ],
    ends: { goAway: Code.resourceExhausted, reason: 'controlBudget' },
  },
  {
    id: 'C123',
    title: 'a flood of AUTH: one at a time is the rule',
    ...server,
    steps: [
      send(...Array.from({ length: 1_000 }, () => rawFrame(0x08, 0, 0, toMsgpack({ auth: 1 })))),
    ],
    ends: protocol,
  },
  {
    id: 'C123',
    title: 'a flood of CREDIT too small to be of use',
    ...server,
    steps: [
      send(
        rawRequest({ id: 1, method: 'conf.hangStream', value: { id: 'c123', items: 0 } }),
        ...Array.from({ length: 1_000 }, () => rawCredit(1, 1)),
      ),
    ],
    ends: { goAway: Code.resourceExhausted, reason: 'controlBudget' },
  },
  {
    id: 'C127',
    title: 'a client that never reads',
    where: 'S',
    tests: 'server',
    limits: { stallMs: 300 },
    steps: [
      { do: 'stop reading' },
      // More than the buffers of the system take, on either side.
      send(
        ...Array.from({ length: 256 }, (_, n) =>
          rawRequest({
            id: 2 * n + 1,
            method: 'conf.produce',
            value: { id: `c127 ${n}`, items: 1_000, bytes: 60_000 },
          }),
        ),
      ),
    ],
    // It does not read why.
    ends: { closed: true },
  },
]

const slowCases: readonly WireCase[] = [
  {
    id: 'C16',
    title: 'no HELLO: closed when handshakeMs is over',
    ...server,
    limits: { handshakeMs: 200 },
    handshake: false,
    steps: [],
    ends: { closed: true },
  },
  {
    id: 'C16',
    title: 'HELLO at a byte every 20 ms: bytes do not extend it',
    ...server,
    limits: { handshakeMs: 200 },
    handshake: false,
    steps: [{ do: 'send slowly', frames: [rawHello()], chunk: 1, everyMs: 20 }],
    ends: { closed: true },
  },
  {
    id: 'C126',
    title: 'a byte every 20 ms inside a frame: the link is cut frameMs after the frame began',
    where: 'S',
    tests: 'server',
    limits: { frameMs: 200 },
    steps: [
      ...answered(1),
      {
        do: 'send slowly',
        frames: [rawRequest({ id: 3, method: 'conf.values', value: 'x'.repeat(60) })],
        chunk: 1,
        everyMs: 20,
      },
    ],
    ends: { closed: true },
  },
  {
    id: 'C126',
    title: 'a frame that stops inside its length',
    where: 'S',
    tests: 'server',
    limits: { frameMs: 200 },
    steps: [{ do: 'send bytes', bytes: hex('0000') }],
    ends: { closed: true },
  },
  {
    id: 'C128',
    title: 'msgpack of depth 65 in HELLO',
    ...server,
    handshake: false,
    steps: [
      send(
        rawFrame(
          0x01,
          0,
          0,
          hex('43424f58 01000000'),
          joined(hex('81 a161'), hex('91'.repeat(65)), hex('c0')),
        ),
      ),
    ],
    ends: protocol,
  },
  {
    id: 'C11',
    title: 'an HTTP request',
    where: 'S',
    tests: 'server',
    handshake: false,
    steps: [{ do: 'send bytes', bytes: new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n') }],
    ends: { closed: true },
  },
  {
    id: 'C11',
    title: 'a TLS hello',
    where: 'S',
    tests: 'server',
    handshake: false,
    steps: [{ do: 'send bytes', bytes: hex('16030100f8010000f40303') }],
    ends: { closed: true },
  },
  {
    id: 'C11',
    title: 'an SSH banner',
    where: 'S',
    tests: 'server',
    handshake: false,
    steps: [{ do: 'send bytes', bytes: new TextEncoder().encode('SSH-2.0-OpenSSH_9.6\r\n') }],
    ends: { closed: true },
  },
  {
    id: 'C11',
    title: '1 MiB of random bytes',
    where: 'S',
    tests: 'server',
    handshake: false,
    steps: [{ do: 'send bytes', bytes: noise(1024 * 1024) }],
    ends: { closed: true },
  },
  {
    id: 'C11',
    title: 'random bytes in frames of the right length',
    ...server,
    handshake: false,
    steps: [send(noise(200))],
    ends: { closed: true },
  },
]

/** The same bytes every time; the first four are no length that may be. */
function noise(size: number): Uint8Array {
  let state = 20_261_125
  const bytes = Uint8Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
  bytes[0] = 0xff
  return bytes
}

export const abuseCases: readonly WireCase[] = [...idCases, ...floodCases, ...slowCases]
