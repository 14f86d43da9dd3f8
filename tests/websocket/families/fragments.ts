// Messages in fragments, with control frames between them (RFC 6455, section 5.4).

import {
  aftermath,
  binary,
  close,
  closes,
  counting,
  gotBinary,
  gotPong,
  gotText,
  next,
  ping,
  pong,
  text,
  type Case,
  type Exchange,
  type Family,
} from '../case.ts'
import type { Frame } from '../wire.ts'

/** Parts of a message, as they are cut. */
const cuts: readonly (readonly [name: string, sizes: readonly number[]])[] = [
  ['2 fragments', [3, 4]],
  ['3 fragments', [3, 4, 5]],
  ['2 empty fragments', [0, 0]],
  ['3 empty fragments', [0, 0, 0]],
  ['an empty first fragment', [0, 5]],
  ['an empty middle fragment', [3, 0, 4]],
  ['an empty last fragment', [5, 0]],
  ['empty fragments around one byte', [0, 1, 0]],
  ['64 fragments of one byte', Array.from({ length: 64 }, () => 1)],
  ['100 fragments, each longer than the one before', Array.from({ length: 100 }, (_, at) => at)],
  ['fragments of 125 and 126 bytes', [125, 126]],
  ['fragments of 126 bytes and 1', [126, 1]],
  ['fragments of 65,535 bytes and 1', [65_535, 1]],
  ['fragments of 1 byte and 65,536', [1, 65_536]],
  ['fragments of 65,536 bytes twice', [65_536, 65_536]],
  ['16 fragments of 4 KiB', Array.from({ length: 16 }, () => 4_096)],
]

function cutUp(kind: 'text' | 'binary', sizes: readonly number[]): Exchange {
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const whole = kind === 'binary' ? counting(total) : new Uint8Array(total).fill(0x78)
  let at = 0
  const frames = sizes.map((size, index) => {
    const part = whole.subarray(at, at + size)
    at += size
    const more = { fin: index === sizes.length - 1 }
    if (index > 0) return next(part, more)
    return kind === 'text' ? text(part, more) : binary(part, more)
  })
  return { send: frames, expect: [kind === 'text' ? gotText(whole) : gotBinary(whole)] }
}

const assembled: readonly Case[] = cuts.flatMap(([name, sizes]) =>
  (['text', 'binary'] as const).map((kind): Case => ({
    title: `${kind} in ${name}`,
    section: 'RFC 6455 5.4',
    exchange: [cutUp(kind, sizes)],
  })),
)

const afterwards: readonly Case[] = [
  {
    title: 'two messages in fragments, one after the other',
    section: 'RFC 6455 5.4',
    exchange: [cutUp('text', [1, 2]), cutUp('binary', [3, 4, 5])],
  },
  {
    title: 'a whole message behind one in fragments, in one write',
    section: 'RFC 6455 5.4',
    exchange: [
      {
        send: [text('a', { fin: false }), next('b'), binary('c')],
        expect: [gotText('ab'), gotBinary('c')],
      },
    ],
  },
  {
    title: 'a message keeps its kind: binary in fragments after text in fragments',
    section: 'RFC 6455 5.4',
    exchange: [
      {
        send: [text('a', { fin: false }), next('b'), binary('c', { fin: false }), next('d')],
        expect: [gotText('ab'), gotBinary('cd')],
      },
    ],
  },
]

const between: readonly (readonly [name: string, frame: Frame, answered: boolean])[] = [
  ['a ping', ping('p'), true],
  ['an empty ping', ping(), true],
  ['a ping of 125 bytes', ping(counting(125)), true],
  ['a pong', pong('p'), false],
]

const interleaved: readonly Case[] = between.flatMap(
  ([name, control, answered]): readonly Case[] => {
    const pongs = answered ? [gotPong(control.payload ?? '')] : []
    return [
      {
        title: `${name} between two fragments`,
        section: 'RFC 6455 5.4',
        exchange: [
          {
            send: [text('a', { fin: false }), control, next('b')],
            expect: [gotText('ab'), ...pongs],
          },
        ],
      },
      {
        title: `${name} between two fragments is answered before the message is whole`,
        section: 'RFC 6455 5.4',
        exchange: [
          { send: [binary('a', { fin: false }), control], expect: pongs },
          { send: [next('b')], expect: [gotBinary('ab')] },
        ],
      },
      {
        title: `${name} in front of each of 5 fragments and behind the last`,
        section: 'RFC 6455 5.4',
        exchange: [
          ...Array.from({ length: 4 }, (_, at): Exchange => ({
            send: [control, at === 0 ? text('0', { fin: false }) : next(`${at}`, { fin: false })],
            expect: pongs,
          })),
          {
            send: [control, next('4'), control],
            expect: answered
              ? [{ ...pongs[0]!, optional: true }, pongs[0]!, gotText('01234')]
              : [gotText('01234')],
          },
        ],
      },
      {
        title: `${name} between empty fragments`,
        section: 'RFC 6455 5.4',
        exchange: [
          { send: [text('', { fin: false }), control, next('')], expect: [gotText(''), ...pongs] },
        ],
      },
    ]
  },
)

const outOfOrder: readonly (readonly [name: string, frames: readonly Frame[]])[] = [
  ['continuation of nothing, the last one', [next('a')]],
  ['continuation of nothing, one of more', [next('a', { fin: false })]],
  ['empty continuation of nothing', [next('')]],
  ['continuation of nothing, then text', [next('a', { fin: false }), text('b')]],
  ['text inside a text', [text('a', { fin: false }), text('b')]],
  ['text that begins inside a text', [text('a', { fin: false }), text('b', { fin: false })]],
  ['binary inside a text', [text('a', { fin: false }), binary('b')]],
  ['binary that begins inside a text', [text('a', { fin: false }), binary('b', { fin: false })]],
  ['text inside a binary', [binary('a', { fin: false }), text('b')]],
  ['binary inside a binary', [binary('a', { fin: false }), binary('b')]],
  ['text inside a text whose first fragment is empty', [text('', { fin: false }), text('')]],
  [
    'text behind the third fragment',
    [text('a', { fin: false }), next('b', { fin: false }), next('c', { fin: false }), text('d')],
  ],
  ['text inside a text, behind a ping', [text('a', { fin: false }), pong(), text('b')]],
]

const bad: readonly Case[] = [
  ...outOfOrder.map(([name, frames]): Case => ({
    title: name,
    section: 'RFC 6455 5.4',
    exchange: [{ send: [...frames, ...aftermath], expect: [] }],
    end: closes(1002),
  })),
  {
    title: 'continuation behind a whole message',
    section: 'RFC 6455 5.4',
    exchange: [{ send: [text('a'), next('b'), ...aftermath], expect: [gotText('a')] }],
    end: closes(1002),
  },
  {
    title: 'continuation behind a message in fragments',
    section: 'RFC 6455 5.4',
    exchange: [
      {
        send: [binary('a', { fin: false }), next('b'), next('c'), ...aftermath],
        expect: [gotBinary('ab')],
      },
    ],
    end: closes(1002),
  },
  {
    title: 'a message that began is dropped at a close',
    section: 'RFC 6455 5.4',
    exchange: [{ send: [text('a', { fin: false }), close(1000)], expect: [] }],
    end: closes(1000),
    told: { code: 1000, wasClean: true },
  },
  {
    title: 'a close between fragments, and the last fragment behind it',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [text('a', { fin: false }), close(1001), next('b')], expect: [] }],
    end: closes(1001),
  },
]

export const fragments: readonly Family[] = [
  { name: 'fragment', cases: [...assembled, ...afterwards, ...bad] },
  { name: 'interleaved', cases: interleaved },
]
