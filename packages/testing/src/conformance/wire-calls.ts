// Calls on the wire: kinds, errors, metadata, deadlines and cancel, where a peer breaks rules.
//   in  -> a raw client, a raw server
//   out -> cases C41 to C45, C49, C53, C55 to C58, C61, C66, C70, C71, C76, C85, C88 to C91

import {
  hex,
  joined,
  rawCancel,
  rawData,
  rawEnd,
  rawError,
  rawFrame,
  rawGoAway,
  rawNotify,
  rawRequest,
  rawWelcome,
} from '../raw-frames.ts'
import { toMsgpack } from '../raw-msgpack.ts'
import type { WireCase } from './case.ts'
import { answered, Code, expects, Flags, inspects, metaOf, named, nothing, send } from './steps.ts'

const server = { where: 'L', tests: 'server' } as const
const client = { where: 'L', tests: 'client' } as const

/** Whether the handler of this id has begun, asked by another call. */
const hasBegun = (id: number, what: string, value: boolean) => [
  send(rawRequest({ id, method: 'conf.hasBegun', value: what })),
  expects({ frame: 'DATA', id, value }),
]

const methodCases: readonly WireCase[] = [
  {
    id: 'C29',
    title: 'a unary of nothing: two frames, both payloads empty',
    ...server,
    steps: [
      send(rawRequest({ id: 1, method: 'conf.nothing' })),
      expects({ frame: 'DATA', id: 1, value: undefined, end: true }),
      nothing,
    ],
  },
  {
    id: 'C41',
    title: 'an unknown event, an unknown id of one, an invalid input: nothing comes back',
    ...server,
    steps: [
      send(
        rawNotify('conf.other', 1),
        rawFrame(0x16, 0, 0, hex('ea60')),
        rawNotify('conf.note', { n: -1 }),
        rawNotify('conf.note', { n: 7 }),
        rawNotify('conf.strict', { n: 1 }),
      ),
      nothing,
      send(rawRequest({ id: 1, method: 'conf.notes' })),
      expects({ frame: 'DATA', id: 1, value: [7] }),
    ],
  },
  {
    id: 'C42',
    title: 'an unknown id or name is unimplemented, not processed',
    ...server,
    steps: [
      send(
        rawRequest({ id: 1, method: 60_000 }),
        rawRequest({ id: 3, method: 'conf.other' }),
        rawRequest({ id: 5, method: 'constructor' }),
        rawRequest({ id: 7, method: '' }),
        // An event is no call.
        rawRequest({ id: 9, method: 'conf.note', value: { n: 1 } }),
        rawFrame(0x10, Flags.Named | Flags.End, 11, hex('02 fffe')),
      ),
      ...[1, 3, 5, 7, 9, 11].map((id) =>
        expects({ frame: 'ERROR', id, code: Code.unimplemented, processed: 'no' }),
      ),
    ],
  },
  {
    id: 'C44',
    title: 'REQUEST without END to a method with one input, unary and server stream',
    ...server,
    steps: [
      send(
        rawRequest({ id: 1, method: 'conf.strict', value: { n: 1 }, open: true }),
        rawRequest({
          id: 3,
          method: 'conf.hangStream',
          value: { id: 'c44', items: 1 },
          open: true,
        }),
      ),
      ...[1, 3].map((id) =>
        expects({ frame: 'ERROR', id, code: Code.invalidArgument, processed: 'no' }),
      ),
      // What was on its way is late, and forgiven.
      send(rawData(1, 1), rawEnd(1), rawData(3, 1, true)),
      ...hasBegun(5, 'strict 1', false),
      ...hasBegun(7, 'c44', false),
    ],
  },
  {
    id: 'C45',
    title: 'an invalid input: the path and not the value, the handler does not run',
    ...server,
    steps: [
      send(rawRequest({ id: 1, method: 'conf.strict', value: { n: 7_654_321 } })),
      expects({
        frame: 'ERROR',
        id: 1,
        code: Code.invalidArgument,
        processed: 'no',
        text: '/n',
      }),
      ...hasBegun(3, 'strict 7654321', false),
    ],
  },
  {
    id: 'C45',
    title: 'an invalid item: the call fails, processed, and what follows is late',
    ...server,
    steps: [
      send(
        rawRequest({ id: 1, method: 'conf.strictItems', open: true }),
        rawData(1, 1),
        rawData(1, 99),
      ),
      expects({ frame: 'ERROR', id: 1, code: Code.invalidArgument, processed: 'yes' }),
      send(rawData(1, 2), rawEnd(1)),
      nothing,
    ],
  },
  {
    id: 'C49',
    title: 'a payload that does not decode fails its call, and nothing of it comes back',
    ...server,
    steps: [
      send(rawFrame(0x10, Flags.Named | Flags.End, 1, named('values'), hex('c1 736563726574'))),
      expects({ frame: 'ERROR', id: 1, code: Code.invalidArgument, processed: 'no' }),
      // What encoders of others may send: RegExp, Set, records, pointers, a typed array, 0xc1.
      ...['d4 78 00', 'd4 73 90', 'd4 72 40', 'd6 69 00000000', 'c7 05 74 00 01020304'].flatMap(
        (payload, n) => [
          send(rawFrame(0x10, Flags.Named | Flags.End, 3 + 2 * n, named('values'), hex(payload))),
          expects({
            frame: 'ERROR',
            id: 3 + 2 * n,
            code: Code.invalidArgument,
            processed: 'no',
          }),
        ],
      ),
    ],
  },
  {
    id: 'C128',
    title: 'msgpack of depth 65 in a payload',
    ...server,
    steps: [
      send(
        rawFrame(
          0x10,
          Flags.Named | Flags.End,
          1,
          named('values'),
          joined(hex('91'.repeat(65)), hex('c0')),
        ),
      ),
      expects({ frame: 'ERROR', id: 1, code: Code.invalidArgument, processed: 'no' }),
      send(
        rawFrame(
          0x10,
          Flags.Named | Flags.End,
          3,
          named('values'),
          joined(hex('91'.repeat(64)), hex('c0')),
        ),
      ),
      expects({ frame: 'DATA', id: 3 }),
    ],
  },
]

/** A REQUEST whose META is `map`. */
const withMeta = (id: number, map: object): Uint8Array =>
  rawFrame(0x10, Flags.Named | Flags.End | Flags.Meta, id, named('metadata'), metaOf(map))
const entries = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']))

const metadataCases: readonly WireCase[] = [
  {
    id: 'C55',
    title: 'META on REQUEST arrives; on items, ends and unknown keys of Callbox it does no harm',
    ...server,
    steps: [
      send(withMeta(1, { 'a': 'text', 'b-2': hex('00ff'), ':later': 1 })),
      expects({ frame: 'DATA', id: 1, value: { 'a': 'text', 'b-2': hex('00ff') } }),
      send(
        rawRequest({ id: 3, method: 'conf.upload', open: true }),
        rawFrame(0x11, Flags.Meta, 3, metaOf({ a: 'b' }), toMsgpack(new Uint8Array(5))),
        rawFrame(0x12, Flags.Meta, 3, metaOf({ a: 'b' })),
      ),
      expects({ frame: 'DATA', id: 3, value: 5 }),
    ],
  },
  {
    id: 'C56',
    title: 'metadata above 8 KiB or 64 entries is refused, not processed',
    ...server,
    steps: [
      send(withMeta(1, { a: 'x'.repeat(8_187) })),
      expects({ frame: 'ERROR', id: 1, code: Code.resourceExhausted, processed: 'no' }),
      send(withMeta(3, entries(65))),
      expects({ frame: 'ERROR', id: 3, code: Code.resourceExhausted, processed: 'no' }),
      send(withMeta(5, entries(64))),
      expects({ frame: 'DATA', id: 5, value: entries(64) }),
    ],
  },
]

const cancelCases: readonly WireCase[] = [
  {
    id: 'C61',
    title: 'a deadline that is over when it arrives: the handler does not run',
    ...server,
    steps: [
      send(rawRequest({ id: 1, method: 'conf.strict', value: { n: 7 }, deadlineMs: 0 })),
      expects({ frame: 'ERROR', id: 1, code: Code.deadlineExceeded, processed: 'no' }),
      ...hasBegun(3, 'strict 7', false),
    ],
  },
  {
    id: 'C59',
    title: 'a deadline that passes at the callee: processed, and its slot is free again',
    ...server,
    steps: [
      send(rawRequest({ id: 1, method: 'conf.hang', value: 'c59', deadlineMs: 30 })),
      expects({ frame: 'ERROR', id: 1, code: Code.deadlineExceeded, processed: 'yes' }),
      send(rawRequest({ id: 3, method: 'conf.aborted', value: 'c59' })),
      expects({ frame: 'DATA', id: 3, value: true }),
      inspects({ served: 0 }),
    ],
  },
  {
    id: 'C70',
    title: 'CANCEL directly behind REQUEST: no answer, and the handler is told',
    ...server,
    steps: [
      send(
        rawRequest({ id: 1, method: 'conf.hang', value: 'c70' }),
        rawCancel(1),
        rawRequest({ id: 3, method: 'conf.hangStream', value: { id: 'c70s', items: 9 } }),
        rawCancel(3),
        rawRequest({ id: 5, method: 'conf.hangUpload', value: { id: 'c70u' }, open: true }),
        rawCancel(5),
      ),
      nothing,
      inspects({ served: 0 }),
      send(rawRequest({ id: 7, method: 'conf.aborted', value: 'c70' })),
      expects({ frame: 'DATA', id: 7, value: true }),
    ],
  },
  {
    id: 'C71',
    title: 'a handler that ignores its signal keeps its slot until it settles',
    ...server,
    steps: [
      send(rawRequest({ id: 1, method: 'conf.stubborn', value: 'c71' })),
      ...hasBegun(3, 'c71', true),
      send(rawCancel(1)),
      nothing,
      inspects({ served: 1 }),
      send(rawRequest({ id: 5, method: 'conf.release', value: 'c71' })),
      expects({ frame: 'DATA', id: 5 }),
      // Its output is dropped.
      nothing,
      inspects({ served: 0 }),
    ],
  },
  {
    id: 'C66',
    title: 'CANCEL again, and after the end, has no effect',
    ...server,
    steps: [
      send(rawRequest({ id: 1, method: 'conf.hang', value: 'c66' }), rawCancel(1), rawCancel(1)),
      ...answered(3),
      send(rawCancel(3), rawCancel(1)),
      nothing,
    ],
  },
]

/** A call of the client under test, what the raw server answers, what the caller then sees. */
const answer = (
  id: string,
  title: string,
  frames: readonly Uint8Array[],
  error: { readonly code: string; readonly processed: string; readonly text?: readonly string[] },
): WireCase => ({
  id,
  title,
  ...client,
  steps: [
    { do: 'call', call: { name: 'a', method: 'notes' } },
    expects({ frame: 'REQUEST', id: 1, end: true }),
    send(...frames),
    { do: 'settles', call: { name: 'a', error } },
  ],
})

const errorFrame = (body: string): Uint8Array => rawFrame(0x13, 0, 1, hex(body))
const tooMuch = { code: 'internal', processed: 'yes' }

const answerCases: readonly WireCase[] = [
  {
    ...answer(
      'C43',
      'DATA, then DATA with END, for a unary',
      [rawData(1, []), rawData(1, [], true)],
      {
        ...tooMuch,
      },
    ),
    // It tells the callee to stop.
  },
  answer('C43', 'END without DATA for a unary', [rawEnd(1)], tooMuch),
  answer('C57', 'an unknown error code is named', [rawError(1, 200)], {
    code: 'unknown',
    processed: 'yes',
    text: ['200'],
  }),
  answer('C58', 'an ERROR whose body is not msgpack keeps its code', [errorFrame('05 00 c1 ff')], {
    code: 'not_found',
    processed: 'yes',
  }),
  answer('C58', 'an ERROR whose body is no list keeps its code', [errorFrame('05 00 80')], {
    code: 'not_found',
    processed: 'yes',
  }),
  answer('C58', 'an ERROR without a body keeps its code', [errorFrame('05 00')], {
    code: 'not_found',
    processed: 'yes',
  }),
  answer(
    'C55',
    'META on ERROR is passed over',
    [rawFrame(0x13, Flags.Meta, 1, hex('0500'), metaOf({ a: 'b' }), toMsgpack(['text']))],
    { code: 'not_found', processed: 'yes', text: ['text'] },
  ),
  answer('C50', 'NOT_PROCESSED says that the handler did not run', [rawError(1, 7, 1, 'no')], {
    code: 'permission_denied',
    processed: 'no',
    text: ['no'],
  }),
  answer('C45', 'an answer that does not decode', [rawFrame(0x11, 2, 1, hex('c1'))], tooMuch),
  {
    id: 'C55',
    title: 'META on DATA is passed over',
    ...client,
    steps: [
      { do: 'call', call: { name: 'a', method: 'notes' } },
      expects({ frame: 'REQUEST', id: 1 }),
      send(rawFrame(0x11, Flags.End | Flags.Meta, 1, metaOf({ a: 'b' }), toMsgpack([3]))),
      { do: 'settles', call: { name: 'a', value: [3] } },
    ],
  },
  {
    id: 'C50',
    title: 'a link that is lost after the REQUEST: nobody knows',
    ...client,
    steps: [
      { do: 'call', call: { name: 'a', method: 'notes' } },
      expects({ frame: 'REQUEST', id: 1 }),
      { do: 'cut' },
      {
        do: 'settles',
        call: { name: 'a', error: { code: 'session_lost', processed: 'unknown' } },
      },
    ],
    ends: { closed: true },
  },
]

const small = rawWelcome({
  limits: {
    maxFrame: 16_384,
    maxMessage: 20_000,
    maxMeta: 100,
    maxCalls: 2,
    window: 131_072,
  },
})

const limitCases: readonly WireCase[] = [
  {
    id: 'C47',
    title: 'a small call overtakes a large one that waits for credit, ids on the wire rise',
    ...client,
    steps: [
      { do: 'call', call: { name: 'large', method: 'size', input: { bytes: 1_000_000 } } },
      expects({ frame: 'REQUEST', id: 1 }),
      // What the window of 256 KiB takes: three fragments of 64 KiB.
      expects({ frame: 'DATA', id: 1 }),
      expects({ frame: 'DATA', id: 1 }),
      nothing,
      { do: 'call', call: { name: 'small', method: 'notes' } },
      expects({ frame: 'REQUEST', id: 3, end: true }),
      send(rawData(3, [3], true)),
      { do: 'settles', call: { name: 'small', value: [3] } },
      send(rawError(1, 10)),
      { do: 'settles', call: { name: 'large', error: { code: 'aborted', processed: 'yes' } } },
    ],
  },
  {
    id: 'C10',
    title: 'unknown keys in the map of GOAWAY are ignored',
    ...client,
    steps: [
      { do: 'call', call: { name: 'a', method: 'notes' } },
      expects({ frame: 'REQUEST', id: 1 }),
      send(rawGoAway(8, 1, { reason: 'enough', later: { a: [1] } })),
      {
        do: 'settles',
        call: { name: 'a', error: { code: 'resource_exhausted', text: ['enough'] } },
      },
    ],
    ends: { closed: true },
  },
  {
    id: 'C89',
    title: 'over maxMessage of the peer nothing is sent',
    ...client,
    handshake: false,
    steps: [
      { do: 'call', call: { name: 'a', method: 'size', input: { bytes: 20_001 } } },
      expects({ frame: 'HELLO' }),
      send(small),
      {
        do: 'settles',
        call: { name: 'a', error: { code: 'resource_exhausted', processed: 'no' } },
      },
      nothing,
    ],
  },
  {
    id: 'C85',
    title: 'two slots at the server: the third call waits for one',
    ...client,
    handshake: false,
    steps: [
      { do: 'call', call: { name: 'a', method: 'notes' } },
      expects({ frame: 'HELLO' }),
      send(small),
      expects({ frame: 'REQUEST', id: 1 }),
      { do: 'call', call: { name: 'b', method: 'notes' } },
      { do: 'call', call: { name: 'c', method: 'notes' } },
      expects({ frame: 'REQUEST', id: 3 }),
      nothing,
      inspects({ waiting: 1 }),
      send(rawData(3, [3], true)),
      expects({ frame: 'REQUEST', id: 5 }),
      send(rawData(1, [1], true), rawData(5, [5], true)),
      ...(['a', 'b', 'c'] as const).map(
        (name, n) => ({ do: 'settles', call: { name, value: [2 * n + 1] } }) as const,
      ),
    ],
  },
  {
    id: 'C85',
    title: 'LIMITS lowers the slots: what is on its way is refused and goes again, no more is sent',
    ...client,
    steps: [
      { do: 'call', call: { name: 'a', method: 'notes' } },
      { do: 'call', call: { name: 'b', method: 'notes' } },
      expects({ frame: 'REQUEST', id: 1 }),
      expects({ frame: 'REQUEST', id: 3 }),
      send(rawFrame(0x07, 0, 0, toMsgpack({ maxCalls: 1 })), rawError(3, 8, 1, 'over maxCalls')),
      nothing,
      { do: 'call', call: { name: 'c', method: 'notes' } },
      nothing,
      send(rawData(1, [1], true)),
      expects({ frame: 'REQUEST', id: 5 }),
      nothing,
      send(rawData(5, [5], true)),
      expects({ frame: 'REQUEST', id: 7 }),
      send(rawData(7, [5], true)),
      { do: 'settles', call: { name: 'a', value: [1] } },
      { do: 'settles', call: { name: 'b', value: [5] } },
      { do: 'settles', call: { name: 'c', value: [5] } },
    ],
  },
]

export const callCases: readonly WireCase[] = [
  ...methodCases,
  ...metadataCases,
  ...cancelCases,
  ...answerCases,
  ...limitCases,
]
