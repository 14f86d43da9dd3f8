// Frames on the wire: how they are cut, how long they are, what they may say.
//   in  -> a raw client
//   out -> cases C2 to C10, C93, of a server

import {
  hex,
  joined,
  prefixed,
  rawFrame,
  rawHello,
  rawNotify,
  rawPing,
  rawRequest,
  u32,
} from '../raw-frames.ts'
import { toMsgpack } from '../raw-msgpack.ts'
import type { WireCase } from './case.ts'
import { answered, Code, expects, Flags, ignorable, inspects, nothing, send } from './steps.ts'

const protocol = { goAway: Code.protocol }

/** HELLO, three calls, an event and a PING: a conversation of every common frame. */
const conversation = [
  rawHello(),
  rawRequest({ id: 1, method: 'conf.values', value: 'one' }),
  rawRequest({ id: 3, method: 'conf.values', value: { two: [2, 'x'.repeat(200)] } }),
]
const after = [
  rawRequest({ id: 5, method: 'conf.values', value: 3, deadlineMs: 60_000 }),
  rawNotify('conf.note', { n: 1 }),
  rawPing(),
]
const talked = [
  expects({ frame: 'WELCOME' }),
  expects({ frame: 'DATA', id: 1, value: 'one' }),
  expects({ frame: 'DATA', id: 3, value: { two: [2, 'x'.repeat(200)] } }),
]
const talkedOn = [
  expects({ frame: 'DATA', id: 5, value: 3 }),
  expects({ frame: 'PONG', received: 4 }),
]

const three = (id: number): readonly Uint8Array[] =>
  [id, id + 2, id + 4].map((one) => rawRequest({ id: one, method: 'conf.values', value: one }))
const threeBytes = three(1).reduce((sum, { length }) => sum + 4 + length, 0)

const cuttingCases: readonly WireCase[] = [
  {
    id: 'C2',
    title: 'a conversation of one byte per chunk',
    where: 'L',
    tests: 'server',
    handshake: false,
    steps: [
      { do: 'send slowly', frames: conversation, chunk: 1 },
      ...talked,
      { do: 'send slowly', frames: after, chunk: 1 },
      ...talkedOn,
    ],
  },
  {
    id: 'C3',
    title: '1,000 frames in one chunk',
    where: 'L',
    tests: 'server',
    steps: [
      send(
        ...Array.from({ length: 1_000 }, (_, n) =>
          rawRequest({ id: 2 * n + 1, method: 'conf.values', value: n }),
        ),
      ),
      ...Array.from({ length: 1_000 }, (_, n) =>
        expects({ frame: 'DATA', id: 2 * n + 1, value: n, end: true }),
      ),
    ],
  },
  {
    id: 'C4',
    title: 'three frames cut at every position',
    where: 'L',
    tests: 'server',
    steps: Array.from({ length: threeBytes - 1 }, (_, n) => 1 + 6 * n).flatMap((id, n) => [
      { do: 'send cut', frames: three(id), at: n + 1 } as const,
      ...[id, id + 2, id + 4].map((one) => expects({ frame: 'DATA', id: one, value: one })),
    ]),
  },
]

/** A REQUEST of exactly so many bytes, header included. */
function requestOf(bytes: number, id = 1): Uint8Array {
  const head = 6 + 1 + 'conf.checksum'.length
  const frame = rawRequest({
    id,
    method: 'conf.checksum',
    value: new Uint8Array(bytes - head - (bytes > 65_000 + head ? 5 : 3)).fill(1),
  })
  if (frame.length !== bytes) throw new Error(`a frame of ${frame.length} bytes, not ${bytes}`)
  return frame
}

const lengthCases: readonly WireCase[] = [
  ...[0, 1, 2, 3, 4, 5].map((length): WireCase => ({
    id: 'C5',
    title: `a length of ${length} is shorter than a header`,
    where: 'S',
    tests: 'server',
    steps: [{ do: 'send bytes', bytes: joined(u32(length), new Uint8Array(length)) }],
    ends: protocol,
  })),
  {
    id: 'C6',
    title: 'a frame of 66,560 bytes is taken',
    where: 'L',
    tests: 'server',
    steps: [
      send(requestOf(66_560)),
      expects({ frame: 'DATA', id: 1, value: 66_560 - 20 - 5, end: true }),
    ],
  },
  {
    id: 'C6',
    title: 'a length of 66,561 is refused before a byte of its body',
    where: 'S',
    tests: 'server',
    steps: [{ do: 'send bytes', bytes: hex('00010401') }],
    ends: protocol,
  },
  {
    id: 'C7',
    title: 'a text message',
    where: 'W',
    tests: 'server',
    steps: [
      { do: 'send websocket', parts: [{ opcode: 1, payload: new TextEncoder().encode('{}') }] },
    ],
    ends: { webSocketClose: 1003 },
  },
  {
    id: 'C7',
    title: 'an empty binary message',
    where: 'W',
    tests: 'server',
    steps: [{ do: 'send websocket', parts: [{ payload: new Uint8Array() }] }],
    ends: protocol,
  },
  {
    id: 'C7',
    title: 'a frame split over continuation frames',
    where: 'W',
    tests: 'server',
    steps: [
      { do: 'send websocket', parts: splitUp(requestOf(5_000), [1, 10, 0, 2_000, 2_989]) },
      expects({ frame: 'DATA', id: 1, value: 5_000 - 20 - 3 }),
    ],
  },
  {
    id: 'C7',
    title: 'a message of 66,561 bytes',
    where: 'W',
    tests: 'server',
    steps: [{ do: 'send websocket', parts: [{ payload: new Uint8Array(66_561) }] }],
    ends: { webSocketClose: 1009 },
  },
  {
    id: 'C7',
    title: 'continuation frames of more than 66,560 bytes together',
    where: 'W',
    tests: 'server',
    steps: [{ do: 'send websocket', parts: splitUp(new Uint8Array(66_561), [60_000, 6_560, 1]) }],
    ends: { webSocketClose: 1009 },
  },
]

function splitUp(
  frame: Uint8Array,
  sizes: readonly number[],
): readonly { payload: Uint8Array; opcode: number; fin: boolean }[] {
  let at = 0
  return sizes.map((size, index) => {
    const payload = frame.subarray(at, (at += size))
    return { payload, opcode: index === 0 ? 2 : 0, fin: index === sizes.length - 1 }
  })
}

const batch = (...frames: readonly Uint8Array[]): Uint8Array =>
  rawFrame(0x0a, 0, 0, ...frames.map(prefixed))
const small = (count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, n) =>
    rawRequest({ id: 2 * n + 1, method: 'conf.values', value: n }),
  )

const batchCases: readonly WireCase[] = [
  ...[1, 2, 1_000].map((count): WireCase => ({
    id: 'C8',
    title: `a BATCH of ${count} is ${count} frames`,
    where: 'W',
    tests: 'server',
    steps: [
      send(batch(...small(count))),
      ...Array.from({ length: count }, (_, n) =>
        expects({ frame: 'DATA', id: 2 * n + 1, value: n }),
      ),
      send(rawPing()),
      expects({ frame: 'PONG', received: count }),
    ],
  })),
  ...(
    [
      ['that is empty', batch()],
      ['in a BATCH', batch(batch(...small(1)))],
      ['whose inner length is beyond its end', rawFrame(0x0a, 0, 0, hex('00000020'), small(1)[0]!)],
      ['whose inner length is shorter than a header', rawFrame(0x0a, 0, 0, hex('00000001 10'))],
      ['whose inner length is cut', rawFrame(0x0a, 0, 0, hex('0000'))],
      ['with bytes behind its last frame', joined(batch(...small(1)), hex('00'))],
    ] as const
  ).map(([what, frame]): WireCase => ({
    id: 'C8',
    title: `a BATCH ${what}`,
    where: 'W',
    tests: 'server',
    steps: [send(frame)],
    ends: protocol,
  })),
  {
    id: 'C8',
    title: 'any BATCH on a byte stream',
    where: 'S',
    tests: 'server',
    steps: [send(batch(...small(2)))],
    ends: protocol,
  },
]

const position = (received: number) => [send(rawPing()), expects({ frame: 'PONG', received })]

const typeCases: readonly WireCase[] = [
  {
    id: 'C9',
    title: 'an unknown type 0x60 with IGNORABLE is skipped, and counted',
    where: 'L',
    tests: 'server',
    steps: [
      ...position(0),
      send(rawFrame(0x60, ignorable, 1, hex('ffff')), rawFrame(0x60, ignorable | 0x1f, 0)),
      ...position(2),
      ...answered(1),
      ...position(3),
    ],
  },
  {
    id: 'C9',
    title: 'an unknown type 0x0F with IGNORABLE is skipped, and not counted',
    where: 'L',
    tests: 'server',
    steps: [send(rawFrame(0x0f, ignorable, 0, hex('ffff'))), ...position(0), ...answered(1)],
  },
  ...[0x60, 0x0f, 0x09, 0x17, 0xff].map((type): WireCase => ({
    id: 'C9',
    title: `an unknown type 0x${type.toString(16)} without IGNORABLE`,
    where: 'L',
    tests: 'server',
    steps: [send(rawFrame(type, 0, 1))],
    ends: protocol,
  })),
]

/** Types with all flags that they do not define, one at a time. */
const foreignFlags: readonly (readonly [string, Uint8Array])[] = [
  ['IGNORABLE on PING', rawFrame(0x03, ignorable, 0, new Uint8Array(12))],
  ['END on ACK', rawFrame(0x05, Flags.End, 0, u32(0))],
  ['NAMED on DATA', rawFrame(0x11, Flags.Named, 1)],
  ['CONT on REQUEST', rawFrame(0x10, Flags.Cont, 1, hex('0000'))],
  ['MORE on CANCEL', rawFrame(0x14, Flags.More, 1, hex('01'))],
  ['META on CREDIT', rawFrame(0x15, Flags.Meta, 1, u32(1))],
  ['DEADLINE on NOTIFY', rawFrame(0x16, Flags.Deadline, 0, hex('0000'))],
  ['END on NOTIFY', rawFrame(0x16, Flags.End, 0, hex('0000'))],
  ['MORE on END', rawFrame(0x12, Flags.More, 1)],
  ['END together with MORE', rawFrame(0x11, Flags.End | Flags.More, 1, u32(9))],
  ['META together with CONT', rawFrame(0x11, Flags.Meta | Flags.Cont, 1, hex('0000'))],
]
const anyType = [0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x60]

const flagCases: readonly WireCase[] = [
  ...foreignFlags.map(([title, frame]): WireCase => ({
    id: 'C10',
    title,
    where: 'L',
    tests: 'server',
    steps: [send(frame)],
    ends: protocol,
  })),
  ...anyType.map((type): WireCase => ({
    id: type === 0x10 ? 'C93' : 'C10',
    title: `COMPRESSED on type 0x${type.toString(16)}`,
    where: 'L',
    tests: 'server',
    steps: [
      send(rawFrame(type, Flags.Compressed | (type === 0x60 ? ignorable : 0), type < 0x10 ? 0 : 1)),
    ],
    ends: protocol,
  })),
  {
    id: 'C10',
    title: 'unknown keys in the maps of HELLO and LIMITS are ignored',
    where: 'L',
    tests: 'server',
    handshake: false,
    steps: [
      send(rawHello({ later: { a: [1] }, caps: 0x7fffffff })),
      expects({ frame: 'WELCOME' }),
      send(rawFrame(0x07, 0, 0, toMsgpack({ maxLater: -1, maxCalls: 7 }))),
      ...answered(1),
    ],
  },
  {
    id: 'C93',
    title: 'RSV1 on a WebSocket that has no extension',
    where: 'W',
    tests: 'server',
    steps: [{ do: 'send websocket', parts: [{ payload: rawPing(), rsv: 0x40 }] }],
    ends: { webSocketClose: 1002 },
  },
  {
    id: 'C9',
    title: 'frames that are skipped leave nothing behind',
    where: 'L',
    tests: 'server',
    steps: [
      send(
        ...Array.from({ length: 1_000 }, () => rawFrame(0x60, ignorable, 1, new Uint8Array(60))),
      ),
      nothing,
      inspects({ buffered: 0, held: 0, served: 0 }),
      ...position(1_000),
    ],
  },
]

export const encodingCases: readonly WireCase[] = [
  ...cuttingCases,
  ...lengthCases,
  ...batchCases,
  ...typeCases,
  ...flagCases,
]
