// Control frames: ping and pong (RFC 6455, sections 5.5, 5.5.2 and 5.5.3).

import {
  aftermath,
  binary,
  close,
  closeBody,
  closes,
  counting,
  frame,
  gotBinary,
  gotPong,
  gotText,
  next,
  ping,
  pong,
  text,
  type Case,
  type Family,
} from '../case.ts'
import { Opcode, hex } from '../wire.ts'

const names = new Map<number, string>([
  [Opcode.Ping, 'ping'],
  [Opcode.Pong, 'pong'],
  [Opcode.Close, 'close'],
])

/** A payload that would do, but for its length. */
function payloadOf(opcode: number, size: number): Uint8Array {
  if (opcode !== Opcode.Close || size < 2) return counting(size)
  return closeBody(1000, new Uint8Array(size - 2).fill(0x61))
}

const pings: readonly Case[] = [0, 1, 2, 3, 4, 62, 124, 125].map((size): Case => ({
  title: `ping of ${size} bytes is answered with the same bytes`,
  section: 'RFC 6455 5.5.3',
  exchange: [{ send: [ping(counting(size))], expect: [gotPong(counting(size))] }],
}))

const tooLong: readonly Case[] = [...names].flatMap(([opcode, name]) =>
  [126, 127, 65_535, 65_536].map((size): Case => ({
    title: `${name} of ${size} bytes`,
    section: 'RFC 6455 5.5',
    exchange: [{ send: [frame(opcode, payloadOf(opcode, size)), ...aftermath], expect: [] }],
    end: closes(1002),
  })),
)

/** Over 125 by its form alone: what is announced would fit. */
const longForms: readonly Case[] = [...names].flatMap(([opcode, name]) =>
  ([16, 64] as const).map((form): Case => ({
    title: `${name} of 5 bytes with its length in ${form} bits`,
    section: 'RFC 6455 5.5',
    exchange: [{ send: [frame(opcode, payloadOf(opcode, 5), { form }), ...aftermath], expect: [] }],
    end: closes(1002),
  })),
)

const fragmented: readonly Case[] = [...names].flatMap(([opcode, name]): readonly Case[] => [
  {
    title: `${name} without FIN and without a payload`,
    section: 'RFC 6455 5.5',
    exchange: [{ send: [frame(opcode, '', { fin: false }), ...aftermath], expect: [] }],
    end: closes(1002),
  },
  {
    title: `${name} in two fragments`,
    section: 'RFC 6455 5.5',
    exchange: [
      {
        send: [frame(opcode, payloadOf(opcode, 5), { fin: false }), next('b'), ...aftermath],
        expect: [],
      },
    ],
    end: closes(1002),
  },
  {
    title: `${name} without FIN inside a message`,
    section: 'RFC 6455 5.5',
    exchange: [
      {
        send: [
          text('a', { fin: false }),
          frame(opcode, payloadOf(opcode, 5), { fin: false }),
          next('b'),
          ...aftermath,
        ],
        expect: [],
      },
    ],
    end: closes(1002),
  },
])

const pongs: readonly Case[] = [0, 1, 62, 125].map((size): Case => ({
  title: `pong of ${size} bytes that nobody asked for`,
  section: 'RFC 6455 5.5.3',
  exchange: [{ send: [pong(counting(size)), text('on')], expect: [gotText('on')] }],
}))

const burst = Array.from({ length: 10 }, (_, at) => `ping ${at}`)

/** More than may wait: 256 KiB of pongs. */
const flood = Array.from({ length: 2_000 }, (_, at) => `${at}`.padEnd(125, '.'))

const series: readonly Case[] = [
  {
    title: '2,000 pings of 125 bytes at once: the last is answered, and a message behind them',
    section: 'RFC 6455 5.5.3',
    exchange: [
      {
        send: [...flood.map((name) => ping(name)), text('behind')],
        expect: [
          ...flood.map((name, at) => ({ ...gotPong(name), optional: at < flood.length - 1 })),
          gotText('behind'),
        ],
      },
    ],
  },
  {
    title: 'ping whose payload is no text',
    section: 'RFC 6455 5.5.2',
    exchange: [
      {
        send: [ping(hex('00 ff fe fd fc fb 00 ff'))],
        expect: [gotPong(hex('00 ff fe fd fc fb 00 ff'))],
      },
    ],
  },
  {
    title: '10 pings at once: the last is answered, and those that are, in order',
    section: 'RFC 6455 5.5.3',
    exchange: [
      {
        send: burst.map((name) => ping(name)),
        expect: burst.map((name, at) => ({ ...gotPong(name), optional: at < 9 })),
      },
    ],
  },
  {
    title: '8 pings, each after the pong of the one before',
    section: 'RFC 6455 5.5.3',
    exchange: burst.slice(0, 8).map((name) => ({ send: [ping(name)], expect: [gotPong(name)] })),
  },
  {
    title: 'ping, pong that nobody asked for, ping',
    section: 'RFC 6455 5.5.3',
    exchange: [
      {
        send: [ping('1'), pong('stray'), ping('2')],
        expect: [{ ...gotPong('1'), optional: true }, gotPong('2')],
      },
    ],
  },
  {
    title: 'ping between two messages of one write',
    section: 'RFC 6455 5.5.2',
    exchange: [
      {
        send: [text('a'), ping('p'), binary('b')],
        expect: [gotText('a'), gotPong('p'), gotBinary('b')],
      },
    ],
  },
  {
    title: 'ping behind a message of 65,536 bytes',
    section: 'RFC 6455 5.5.2',
    exchange: [
      {
        send: [binary(counting(65_536)), ping('p')],
        expect: [gotBinary(counting(65_536)), gotPong('p')],
      },
    ],
  },
  {
    title: 'ping in front of a close in one write',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [ping('p'), close(1000)], expect: [{ ...gotPong('p'), optional: true }] }],
    end: closes(1000),
  },
  {
    title: 'ping of 125 bytes, then one of none: nothing of the first is left',
    section: 'RFC 6455 5.5.3',
    exchange: [
      { send: [ping(counting(125))], expect: [gotPong(counting(125))] },
      { send: [ping()], expect: [gotPong()] },
    ],
  },
]

export const control: readonly Family[] = [
  { name: 'ping', cases: [...pings, ...series] },
  { name: 'pong', cases: pongs },
  { name: 'control', cases: [...tooLong, ...longForms, ...fragmented] },
]
