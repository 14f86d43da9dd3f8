// Credit and fragments on the wire.
//   in  -> a raw client, a raw server
//   out -> cases C76, C78 to C81, C84, C87 to C91

import {
  hex,
  rawCancel,
  rawCredit,
  rawData,
  rawEnd,
  rawError,
  rawFrame,
  rawRequest,
  u32,
} from '../raw-frames.ts'
import { toMsgpack } from '../raw-msgpack.ts'
import type { Ending, WireCase } from './case.ts'
import {
  answered,
  Code,
  expects,
  firstFragment,
  Flags,
  fragments,
  inspects,
  metaOf,
  nextFragment,
  nothing,
  send,
  type Step,
} from './steps.ts'

const server = { where: 'L', tests: 'server' } as const
const client = { where: 'L', tests: 'client' } as const
const protocol: Ending = { goAway: Code.protocol }
const flowControl: Ending = { goAway: Code.flowControl }
const MiB = 1024 * 1024
const window = 262_144

const hang = (id: number, what: string): Uint8Array =>
  rawRequest({ id, method: 'conf.hang', value: what })
/** Five items of 64 KiB and nobody who takes them: the last is beyond the window. */
const overdraw = (id: number): readonly Uint8Array[] => [
  rawRequest({ id, method: 'conf.hangUpload', value: { id: `over ${id}` }, open: true }),
  ...Array.from({ length: 5 }, () => rawData(id, new Uint8Array(65_392 - 5))),
]

const empty = (id: number, count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, () => rawFrame(0x11, 0, id))

const creditCases: readonly WireCase[] = [
  {
    id: 'C78',
    title: 'empty items to a reader that takes none: 4,096 fit in the window',
    ...server,
    steps: [
      send(
        rawRequest({ id: 1, method: 'conf.hangStream', value: { id: 'c78', items: 1_000_000 } }),
      ),
      // Small integers: one to five bytes each, 64 a frame.
      { do: 'count', frame: 'DATA', is: itemsInWindow() },
      send(rawCancel(1)),
    ],
  },
  {
    id: 'C78',
    title: 'empty items of an upload that nobody takes: 4,094 fit beside its REQUEST',
    ...server,
    steps: [
      // `hangUpload` reads nothing, and a REQUEST of 6 + 64 bytes is no reason for CREDIT yet.
      send(rawRequest({ id: 1, method: 'conf.hangUpload', value: { id: 'e' }, open: true })),
      send(...empty(1, 4_094)),
      nothing,
      inspects({ buffered: 4_094 * 64 }),
      send(...empty(1, 1)),
      expects({ frame: 'ERROR', id: 1, code: Code.flowControl, processed: 'yes' }),
      inspects({ buffered: 0 }),
    ],
  },
  {
    id: 'C78',
    title: 'with 8 KiB of metadata each, 31 fit',
    ...server,
    steps: [
      send(rawRequest({ id: 1, method: 'conf.hangUpload', value: { id: 'm' }, open: true })),
      send(...withMeta(1, 31)),
      nothing,
      send(...withMeta(1, 1)),
      expects({ frame: 'ERROR', id: 1, code: Code.flowControl, processed: 'yes' }),
      inspects({ buffered: 0 }),
    ],
  },
  {
    id: 'C79',
    title: 'CREDIT 0 costs the call, a sum above 2^31 - 1 then the connection',
    ...server,
    steps: [
      send(hang(1, 'c79'), rawCredit(1, 0)),
      expects({ frame: 'ERROR', id: 1, code: Code.flowControl, processed: 'yes' }),
      ...answered(3),
      send(
        rawRequest({ id: 5, method: 'conf.hangStream', value: { id: 'c79s', items: 0 } }),
        rawCredit(5, 0x7fffffff),
      ),
    ],
    ends: flowControl,
  },
  {
    id: 'C79',
    title: 'CREDIT that adds up to 2^31 - 1 is no violation',
    ...server,
    steps: [
      send(
        rawRequest({ id: 1, method: 'conf.hangStream', value: { id: 'c79m', items: 0 } }),
        rawCredit(1, 0x7fffffff - window),
      ),
      nothing,
      send(rawCancel(1)),
    ],
  },
  {
    id: 'C80',
    title: 'DATA beyond the credit costs the call, then the connection',
    ...server,
    steps: [
      send(...overdraw(1)),
      expects({ frame: 'ERROR', id: 1, code: Code.flowControl, processed: 'yes' }),
      inspects({ buffered: 0 }),
      ...answered(3),
      send(...overdraw(5)),
    ],
    ends: flowControl,
  },
  {
    id: 'C81',
    title: 'frames for a call that has ended are late, as many as had credit',
    ...server,
    steps: [
      send(rawRequest({ id: 1, method: 'conf.first', open: true }), rawData(1, new Uint8Array(0))),
      expects({ frame: 'CANCEL', id: 1 }),
      expects({ frame: 'DATA', id: 1, value: 0 }),
      // 64 for the REQUEST, 66 for the item.
      send(...empty(1, Math.floor((window - 64 - 66) / 64))),
      nothing,
      send(...empty(1, 3)),
    ],
    ends: { ...flowControl, reason: 'late' },
  },
  {
    id: 'C81',
    title: 'CREDIT, CANCEL and END for a call that has ended are ignored',
    ...server,
    steps: [...answered(1), send(rawCredit(1, 100_000), rawCancel(1), rawEnd(1)), ...answered(3)],
  },
  {
    id: 'C81',
    title: 'a frame for an id that was never opened',
    ...server,
    steps: [...answered(1), send(rawCredit(3, 100_000))],
    ends: protocol,
  },
]

function itemsInWindow(): number {
  let left = window
  let count = 0
  for (; ; count += 1) {
    left -= 64 + toMsgpackBytes(count)
    if (left < 0) return count
  }
}

/** Bytes of a small integer in msgpack at its shortest. */
function toMsgpackBytes(n: number): number {
  return n < 128 ? 1 : n < 256 ? 2 : n < 65_536 ? 3 : 5
}

/** Items of 8,192 bytes of metadata and no payload: 8,256 of the window each. */
function withMeta(id: number, count: number): readonly Uint8Array[] {
  const meta = metaOf({ a: 'x'.repeat(8_192 - 6) })
  return Array.from({ length: count }, () => rawFrame(0x11, Flags.Meta, id, meta))
}

const bytes = (size: number): Uint8Array => new Uint8Array(size).fill(1)

/** Ten messages of 1 MiB, one fragment of each in turn. */
function interleaved(): readonly Step[] {
  const all = Array.from({ length: 10 }, (_, n) =>
    fragments(2 * n + 1, 'checksum', bytes(MiB - n), 64 * 1024),
  )
  const frames = all[0]!.flatMap((_, at) => all.flatMap((one) => one.slice(at, at + 1)))
  return [
    { do: 'send within credit', frames },
    {
      do: 'expect all',
      frames: all.map((_, n) => ({
        frame: 'DATA',
        id: 2 * n + 1,
        value: MiB - n,
        end: true,
      })),
    },
  ]
}

const messageCases: readonly WireCase[] = [
  {
    id: 'C76',
    title: 'a message of 4 MiB through a window of 128 KiB',
    ...server,
    limits: { window: 131_072 },
    steps: [
      { do: 'send within credit', frames: fragments(1, 'checksum', bytes(4 * MiB - 5), 60_000) },
      expects({ frame: 'DATA', id: 1, value: 4 * MiB - 5, end: true }),
      inspects({ buffered: 0, held: 0 }),
    ],
  },
  {
    id: 'C84',
    title: 'a message of 300,000 bytes in fragments of 5',
    ...server,
    steps: [
      { do: 'send within credit', frames: fragments(1, 'checksum', bytes(300_000 - 5), 5) },
      expects({ frame: 'DATA', id: 1, value: 300_000 - 5, end: true }),
      inspects({ buffered: 0, held: 0, served: 0 }),
    ],
  },
  {
    id: 'C87',
    title: 'ten messages of 1 MiB, fragments interleaved',
    ...server,
    steps: [...interleaved(), inspects({ buffered: 0, held: 0, served: 0 })],
  },
  {
    id: 'C88',
    title: 'CANCEL between fragments: what has come is freed at once',
    ...server,
    steps: [
      send(firstFragment(1, 'checksum', 200_000, bytes(60_000))),
      inspects({ buffered: 60_064, served: 1 }),
      send(rawCancel(1)),
      inspects({ buffered: 0, served: 0 }),
      nothing,
    ],
  },
  {
    id: 'C88',
    title: 'ERROR between fragments of a REQUEST, and of an item',
    ...server,
    steps: [
      send(firstFragment(1, 'checksum', 200_000, bytes(60_000)), rawError(1, 1)),
      inspects({ buffered: 0, served: 0 }),
      send(
        rawRequest({ id: 3, method: 'conf.upload', open: true }),
        rawFrame(0x11, Flags.More, 3, u32(200_000), bytes(60_000)),
        rawError(3, 10, 0, 'no more'),
      ),
      // The input of the handler throws.
      expects({ frame: 'ERROR', id: 3, code: 10, processed: 'yes' }),
      inspects({ buffered: 0, served: 0 }),
    ],
  },
  {
    id: 'C88',
    title: 'END between fragments of a REQUEST',
    ...server,
    steps: [send(firstFragment(1, 'checksum', 200_000, bytes(10)), rawEnd(1))],
    ends: protocol,
  },
  {
    id: 'C88',
    title: 'END between fragments of an item',
    ...server,
    steps: [
      send(
        rawRequest({ id: 1, method: 'conf.upload', open: true }),
        rawFrame(0x11, Flags.More, 1, u32(200_000), bytes(10)),
        rawEnd(1),
      ),
    ],
    ends: protocol,
  },
  {
    id: 'C89',
    title: 'a total of 4 MiB + 1 is refused at the first fragment, others live',
    ...server,
    steps: [
      send(firstFragment(1, 'checksum', 4 * MiB + 1, bytes(10))),
      expects({ frame: 'ERROR', id: 1, code: Code.resourceExhausted, processed: 'no' }),
      // The rest was on its way.
      send(nextFragment(1, Flags.More, bytes(60_000))),
      ...answered(3),
      send(
        rawRequest({ id: 5, method: 'conf.upload', open: true }),
        rawFrame(0x11, Flags.More, 5, u32(4 * MiB + 1), bytes(10)),
      ),
      expects({ frame: 'ERROR', id: 5, code: Code.resourceExhausted, processed: 'yes' }),
      inspects({ buffered: 0 }),
    ],
  },
  {
    id: 'C89',
    title: 'a total of 4 MiB is taken',
    ...server,
    steps: [
      { do: 'send within credit', frames: fragments(1, 'checksum', bytes(4 * MiB - 5), 65_000) },
      expects({ frame: 'DATA', id: 1, value: 4 * MiB - 5 }),
    ],
  },
]

const contradiction = (id: string, title: string, ...frames: readonly Uint8Array[]): WireCase => ({
  id,
  title,
  ...server,
  steps: [send(...frames)],
  ends: protocol,
})
const open = rawRequest({ id: 1, method: 'conf.upload', open: true })
const more = (total: number, part: number): Uint8Array =>
  rawFrame(0x11, Flags.More, 1, u32(total), bytes(part))

const contradictionCases: readonly WireCase[] = [
  contradiction(
    'C90',
    'a total of a REQUEST that says fewer bytes than come',
    firstFragment(1, 'checksum', 15, bytes(10)),
    nextFragment(1, Flags.End, bytes(6)),
  ),
  contradiction(
    'C90',
    'a total of a REQUEST that says more bytes than come',
    firstFragment(1, 'checksum', 15, bytes(10)),
    nextFragment(1, Flags.End, bytes(4)),
  ),
  contradiction(
    'C90',
    'a total of an item that says fewer',
    open,
    more(9, 5),
    nextFragment(1, 0, bytes(5)),
  ),
  contradiction(
    'C90',
    'a total of an item that says more',
    open,
    more(9, 5),
    nextFragment(1, 0, bytes(3)),
  ),
  contradiction('C91', 'CONT without a start', open, nextFragment(1, 0, bytes(1))),
  contradiction(
    'C91',
    'CONT after the end of a message',
    open,
    rawData(1, bytes(1)),
    nextFragment(1, 0, bytes(1)),
  ),
  contradiction('C91', 'a new start before the end', open, more(9, 5), more(9, 5)),
  contradiction('C91', 'a whole message before the end', open, more(9, 5), rawData(1, bytes(1))),
  contradiction(
    'C91',
    'a start inside a REQUEST',
    firstFragment(1, 'checksum', 15, bytes(10)),
    rawFrame(0x11, Flags.More, 1, u32(9), bytes(5)),
  ),
]

/** A call of the client under test whose answer comes in parts. */
const parts = (
  title: string,
  id: string,
  frames: readonly Uint8Array[],
  rest: readonly Step[],
  ends?: Ending,
): WireCase => ({
  id,
  title,
  ...client,
  steps: [
    { do: 'call', call: { name: 'a', method: 'values', input: 1 } },
    expects({ frame: 'REQUEST', id: 1 }),
    send(...frames),
    ...rest,
  ],
  ...(ends === undefined ? {} : { ends }),
})
const text = toMsgpack('x'.repeat(300))
const answerMore = (total: number, part: Uint8Array): Uint8Array =>
  rawFrame(0x11, Flags.More, 1, u32(total), part)
const fails = (code: string, processed = 'yes'): Step => ({
  do: 'settles',
  call: { name: 'a', error: { code, processed } },
})

const answerCases: readonly WireCase[] = [
  parts(
    'an answer in three fragments',
    'C87',
    [
      answerMore(text.length, text.subarray(0, 5)),
      nextFragment(1, Flags.More, text.subarray(5, 100)),
      nextFragment(1, Flags.End, text.subarray(100)),
    ],
    [{ do: 'settles', call: { name: 'a', value: 'x'.repeat(300) } }, inspects({ buffered: 0 })],
  ),
  parts(
    'ERROR between the fragments of an answer: what has come is freed',
    'C88',
    [answerMore(200_000, bytes(60_000)), rawError(1, 10, 0, 'no more')],
    [fails('aborted'), inspects({ buffered: 0, made: 0 })],
  ),
  parts(
    'END between the fragments of an answer',
    'C88',
    [answerMore(200_000, bytes(10)), rawEnd(1)],
    [fails('protocol')],
    protocol,
  ),
  parts(
    'an answer that is longer than its total',
    'C90',
    [answerMore(9, bytes(5)), nextFragment(1, Flags.End, bytes(5))],
    [fails('protocol')],
    protocol,
  ),
  parts(
    'an answer that is shorter than its total',
    'C90',
    [answerMore(9, bytes(5)), nextFragment(1, Flags.End, bytes(3))],
    [fails('protocol')],
    protocol,
  ),
  parts(
    'an answer that is no start',
    'C91',
    [nextFragment(1, Flags.End, bytes(5))],
    [fails('protocol')],
    protocol,
  ),
  parts(
    'an answer that starts twice',
    'C91',
    [answerMore(9, bytes(5)), answerMore(9, bytes(5))],
    [fails('protocol')],
    protocol,
  ),
  parts(
    'an answer of a total over maxMessage',
    'C89',
    [answerMore(4 * MiB + 1, bytes(5))],
    [fails('resource_exhausted'), expects({ frame: 'CANCEL', id: 1 }), inspects({ buffered: 0 })],
  ),
  parts('CREDIT 0 costs the call', 'C79', [rawCredit(1, 0)], [fails('flow_control')]),
  parts(
    'REQUEST from the server with an odd id',
    'C124',
    [rawRequest({ id: 3, method: 'conf.nothing' })],
    [fails('protocol', 'unknown')],
    protocol,
  ),
  parts(
    'DATA for a call that was never made',
    'C124',
    [rawFrame(0x11, 2, 3, hex('c0'))],
    [fails('protocol', 'unknown')],
    protocol,
  ),
]

export const flowCases: readonly WireCase[] = [
  ...creditCases,
  ...messageCases,
  ...contradictionCases,
  ...answerCases,
]
