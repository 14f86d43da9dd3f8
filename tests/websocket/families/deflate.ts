// What lies between compressed messages: context, windows, limits, the end (RFC 7692, sections 7.1 and 8).

import {
  aftermath,
  binary,
  close,
  closes,
  counting,
  gotBinary,
  gotText,
  next,
  text,
  type Case,
  type Exchange,
  type Family,
} from '../case.ts'
import { compress } from '../deflate.ts'
import { hex, utf8 } from '../wire.ts'
import { compressed, repeating, rsv1, small, type Terms } from './deflate-terms.ts'
import { limits } from './limits.ts'

const one = utf8('the quick brown fox jumps over the lazy dog, again and again and again')
const two = utf8('again the quick brown fox jumps over the lazy dog')

const takeover: readonly Case[] = [
  ...compressed({
    title: 'the example of section 7.2.3.2: the second Hello leans on the first',
    section: 'RFC 7692 7.2.3.2',
    exchange: [
      { send: [text(hex('f2 48 cd c9 c9 07 00'), rsv1)], expect: [gotText('Hello')] },
      { send: [text(hex('f2 00 11 00 00'), rsv1)], expect: [gotText('Hello')] },
    ],
  }),
  ...compressed({
    title: 'three messages, each leaning on all before it',
    section: 'RFC 7692 7.2.2',
    exchange: [
      { send: [binary(compress(one), rsv1)], expect: [gotBinary(one)] },
      { send: [binary(compress(two, { history: one }), rsv1)], expect: [gotBinary(two)] },
      {
        send: [binary(compress(one, { history: Buffer.concat([one, two]) }), rsv1)],
        expect: [gotBinary(one)],
      },
    ],
  }),
  ...compressed({
    title: 'what is not compressed is no part of the context',
    section: 'RFC 7692 7.2.2',
    exchange: [
      { send: [binary(compress(one), rsv1)], expect: [gotBinary(one)] },
      { send: [binary(counting(1_000))], expect: [gotBinary(counting(1_000))] },
      { send: [binary(compress(two, { history: one }), rsv1)], expect: [gotBinary(two)] },
    ],
  }),
  ...compressed({
    title: 'a context of 32,768 bytes is kept in full',
    section: 'RFC 7692 7.2.2',
    exchange: [
      {
        send: [binary(compress(repeating(32_000, 1)), rsv1)],
        expect: [gotBinary(repeating(32_000, 1))],
      },
      {
        send: [binary(compress(repeating(32_000, 1), { history: repeating(32_000, 1) }), rsv1)],
        expect: [gotBinary(repeating(32_000, 1))],
      },
    ],
  }),
  ...compressed({
    title: 'a distance into a message that was never sent',
    section: 'RFC 7692 7.2.2',
    exchange: [
      { send: [text(compress('a'), rsv1)], expect: [gotText('a')] },
      { send: [binary(compress(two, { history: one }), rsv1), ...aftermath], expect: [] },
    ],
    end: closes(1002, 1007),
  }),
]

const noTakeover: Terms = {
  offer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  answer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  wanted: ['server_no_context_takeover'],
}

const withoutTakeover: readonly Case[] = compressed(
  {
    title: 'no context taken over: every message stands for itself, both ways',
    section: 'RFC 7692 7.1.1',
    exchange: [one, one, two, one].map((message) => ({
      send: [binary(compress(message), rsv1)],
      expect: [gotBinary(message)],
    })),
  },
  noTakeover,
)

const forgetful: readonly Case[] = [
  {
    title: 'the server takes nothing over: each answer can be read by itself',
    section: 'RFC 7692 7.1.1.1',
    role: 'server',
    request: {
      headers: [['Sec-WebSocket-Extensions', 'permessage-deflate; server_no_context_takeover']],
      extension: ['server_no_context_takeover'],
    },
    exchange: [one, one, one].map((message) => ({
      send: [binary(message)],
      expect: [gotBinary(message)],
    })),
  },
  {
    title: 'the client takes nothing over: each answer can be read by itself',
    section: 'RFC 7692 7.1.1.2',
    role: 'client',
    answer: {
      headers: [['Sec-WebSocket-Extensions', 'permessage-deflate; client_no_context_takeover']],
    },
    exchange: [one, one, one].map((message) => ({
      send: [binary(message)],
      expect: [gotBinary(message)],
    })),
  },
]

/** A window is kept to if no distance is longer: the runner reads with a window of that size. */
const windows: readonly Case[] = [9, 10, 11, 12, 13, 14, 15].flatMap((bits): readonly Case[] => {
  const message = repeating(2 ** bits + 100, 3)
  const exchange: readonly Exchange[] = [
    { send: [binary(message)], expect: [small('binary', message)] },
    { send: [text('a'.repeat(500))], expect: [gotText('a'.repeat(500))] },
  ]
  return [
    {
      title: `the server keeps to a window of ${bits} bits`,
      section: 'RFC 7692 7.1.2.1',
      role: 'server',
      request: {
        headers: [
          ['Sec-WebSocket-Extensions', `permessage-deflate; server_max_window_bits=${bits}`],
        ],
        extension: [/^server_max_window_bits=/],
      },
      exchange,
    },
    {
      title: `the client keeps to a window of ${bits} bits`,
      section: 'RFC 7692 7.1.2.2',
      role: 'client',
      answer: {
        headers: [
          ['Sec-WebSocket-Extensions', `permessage-deflate; client_max_window_bits=${bits}`],
        ],
      },
      exchange,
    },
    {
      title: `the client reads from a window of ${bits} bits`,
      section: 'RFC 7692 7.1.2.1',
      role: 'client',
      answer: {
        headers: [
          ['Sec-WebSocket-Extensions', `permessage-deflate; server_max_window_bits=${bits}`],
        ],
      },
      exchange: [
        {
          send: [binary(compress(repeating(2 ** bits - 262, 3), { windowBits: bits }), rsv1)],
          expect: [small('binary', repeating(2 ** bits - 262, 3))],
        },
      ],
    },
  ]
})

const { maxMessage, maxFragments } = limits
const zeros = (size: number): Uint8Array => new Uint8Array(size)

const bombs: readonly Case[] = [
  ...compressed({
    title: `${maxMessage} bytes once inflated, which is the most`,
    section: 'RFC 6455 10.4',
    profile: 'limited',
    exchange: [
      {
        send: [binary(compress(zeros(maxMessage)), rsv1)],
        expect: [gotBinary(zeros(maxMessage))],
      },
    ],
  }),
  ...[maxMessage + 1, 2 * maxMessage, 65_536, 1_048_576, 16_777_216].flatMap((size) => {
    // At most as much as may be sent: it is the inflated size that is too large.
    const payload = compress(zeros(size)).subarray(0, maxMessage)
    return compressed({
      title: `${size} zeros, the first ${payload.length} bytes of them compressed, the most being ${maxMessage}`,
      section: 'RFC 7692 8',
      profile: 'limited',
      exchange: [{ send: [binary(payload, rsv1), ...aftermath], expect: [] }],
      end: closes(1009),
    })
  }),
  ...compressed({
    title: 'a bomb in fragments',
    section: 'RFC 7692 8',
    profile: 'limited',
    exchange: [
      {
        send: [
          binary(compress(zeros(65_536)).subarray(0, 20), { ...rsv1, fin: false }),
          next(compress(zeros(65_536)).subarray(20)),
          ...aftermath,
        ],
        expect: [],
      },
    ],
    end: closes(1009),
  }),
  ...compressed({
    title: 'a text bomb of letters',
    section: 'RFC 7692 8',
    profile: 'limited',
    exchange: [{ send: [text(compress('a'.repeat(100_000)), rsv1), ...aftermath], expect: [] }],
    end: closes(1009),
  }),
  ...compressed({
    title: `${maxMessage} bytes that no one can compress are more than ${maxMessage} on the wire`,
    section: 'RFC 7692 7.2.1',
    profile: 'limited',
    exchange: [
      {
        send: [binary(compress(repeating(maxMessage - 16, 1), { level: 0 }), rsv1)],
        expect: [gotBinary(repeating(maxMessage - 16, 1))],
      },
    ],
  }),
  ...compressed({
    title: `${maxFragments + 1} fragments of a compressed message`,
    section: 'RFC 6455 10.4',
    profile: 'limited',
    exchange: [
      {
        send: Array.from({ length: maxFragments + 1 }, (_, at) =>
          at === 0 ? binary(hex('f2'), { ...rsv1, fin: false }) : next('', { fin: false }),
        ),
        expect: [],
      },
    ],
    end: closes(1009, 1008),
  }),
  ...compressed({
    title: 'small compressed messages that are more than the limit together',
    section: 'RFC 6455 10.4',
    profile: 'limited',
    exchange: Array.from({ length: 4 }, () => ({
      send: [binary(compress(zeros(2_000)), rsv1)],
      expect: [gotBinary(zeros(2_000))],
    })),
  }),
]

/** What was accepted before a close is sent before the answer to it, also if it is still being compressed. */
const beforeClose: readonly Case[] = [
  ...compressed({
    title: 'a compressed message in front of a close is answered first',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [binary(compress(one), rsv1), close(1000)], expect: [gotBinary(one)] }],
    end: closes(1000),
  }),
  ...compressed({
    title: '5 messages of 20,000 bytes, compressed, in front of a close are all answered',
    section: 'RFC 6455 5.5.1',
    exchange: [
      {
        send: [
          ...Array.from({ length: 5 }, () => binary(compress(repeating(2_000, 10)), rsv1)),
          close(1000),
        ],
        expect: Array.from({ length: 5 }, () => small('binary', repeating(2_000, 10))),
      },
    ],
    end: closes(1000),
  }),
  ...compressed({
    title: 'a close between fragments of a compressed message',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [binary(hex('f2 48'), { ...rsv1, fin: false }), close(1001)], expect: [] }],
    end: closes(1001),
  }),
  ...compressed({
    title: 'a compressed message behind a close is not answered',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(1000), binary(compress(one), rsv1)], expect: [] }],
    end: closes(1000),
  }),
]

const answers: readonly Case[] = compressed(
  {
    title: 'what can be compressed is sent compressed',
    section: 'RFC 7692 7.2.1',
    profile: 'noTakeover',
    exchange: [
      {
        send: [text('a'.repeat(2_000))],
        expect: [{ kind: 'text', payload: utf8('a'.repeat(2_000)), compressed: true }],
      },
    ],
  },
  {
    offer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    answer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    wanted: ['server_no_context_takeover'],
  },
)

export const deflate: readonly Family[] = [
  { name: 'takeover', cases: [...takeover, ...withoutTakeover, ...forgetful] },
  { name: 'window', cases: windows },
  { name: 'bomb', cases: bombs },
  { name: 'deflate-close', cases: beforeClose },
  { name: 'deflate-own', cases: answers },
]
