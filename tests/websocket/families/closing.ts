// The closing handshake (RFC 6455, sections 5.5.1 and 7), and connections that end without one.

import {
  binary,
  close,
  closeBody,
  closes,
  counting,
  frame,
  gone,
  gotPong,
  gotText,
  ping,
  pong,
  text,
  type Case,
  type Exchange,
  type Family,
} from '../case.ts'
import { Opcode, utf8 } from '../wire.ts'

/** At the borders of every range of section 7.4.2. */
const good = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000,
  4001, 4999,
]
const bad = [
  0, 1, 255, 256, 500, 998, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1100, 1999, 2000, 2001, 2998,
  2999, 5000, 5001, 9999, 32_768, 65_535,
]

const codes: readonly Case[] = [
  ...good.flatMap((code): readonly Case[] => [
    {
      title: `close with ${code} is answered with ${code}`,
      section: 'RFC 6455 7.4',
      exchange: [{ send: [close(code)], expect: [] }],
      end: closes(code),
      told: { code, reason: '', wasClean: true },
    },
    {
      title: `close with ${code} and a reason is told to the application`,
      section: 'RFC 6455 7.1.6',
      exchange: [{ send: [close(code, `because ${code}`)], expect: [] }],
      end: closes(code),
      told: { code, reason: `because ${code}`, wasClean: true },
    },
  ]),
  ...bad.flatMap((code): readonly Case[] => [
    {
      title: `close with ${code}, which nobody may send`,
      section: 'RFC 6455 7.4.2',
      exchange: [{ send: [close(code)], expect: [] }],
      end: closes(1002),
    },
  ]),
  ...[1004, 1005, 1006, 1015, 2999, 5000].map((code): Case => ({
    title: `close with ${code} and a reason`,
    section: 'RFC 6455 7.4.2',
    exchange: [{ send: [close(code, 'because')], expect: [] }],
    end: closes(1002),
  })),
]

const bodies: readonly Case[] = [
  {
    title: 'close without a code',
    section: 'RFC 6455 7.1.5',
    exchange: [{ send: [close()], expect: [] }],
    end: closes(1005, 1000),
    told: { code: 1005, reason: '', wasClean: true },
  },
  // With a byte of 0 behind it, 0c would be a code that may be sent.
  ...[0x00, 0x03, 0x0c, 0xff].map((byte): Case => ({
    title: `close of one byte, ${byte}`,
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [frame(Opcode.Close, Uint8Array.of(byte))], expect: [] }],
    end: closes(1002),
  })),
  ...[1, 2, 122, 123].map((size): Case => ({
    title: `close with a reason of ${size} bytes`,
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(1000, 'r'.repeat(size))], expect: [] }],
    end: closes(1000),
    told: { code: 1000, reason: 'r'.repeat(size), wasClean: true },
  })),
  {
    title: 'close with a reason of 41 letters of 3 bytes',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(1000, '€'.repeat(41))], expect: [] }],
    end: closes(1000),
    told: { code: 1000, reason: '€'.repeat(41), wasClean: true },
  },
  {
    title: 'close with a reason of 124 bytes',
    section: 'RFC 6455 5.5',
    exchange: [{ send: [close(1000, 'r'.repeat(124))], expect: [] }],
    end: closes(1002),
  },
]

const after: readonly Case[] = [
  {
    title: 'text behind a close is not answered',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(1000), text('late')], expect: [] }],
    end: closes(1000),
  },
  {
    title: 'ping behind a close is not answered',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(1000), ping('late')], expect: [] }],
    end: closes(1000),
  },
  {
    title: 'a second close has no effect',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(1000), close(1001)], expect: [] }],
    end: closes(1000),
    told: { code: 1000, wasClean: true },
  },
  {
    title: 'rubbish behind a close has no effect',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(3000), new Uint8Array(64).fill(0xff)], expect: [] }],
    end: closes(3000),
    told: { code: 3000, wasClean: true },
  },
  {
    title: '65,536 bytes of data behind a close',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(1000), binary(counting(65_536))], expect: [] }],
    end: closes(1000),
  },
  {
    title: 'a message in front of the close is answered first',
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [text('first'), close(1000)], expect: [gotText('first')] }],
    end: closes(1000),
  },
  {
    title: '20 messages in front of the close are all answered',
    section: 'RFC 6455 5.5.1',
    exchange: [
      {
        send: [...Array.from({ length: 20 }, (_, at) => text(`${at}`)), close(1000)],
        expect: Array.from({ length: 20 }, (_, at) => gotText(`${at}`)),
      },
    ],
    end: closes(1000),
  },
  {
    title: 'a message of 262,144 bytes in front of the close is answered in full',
    section: 'RFC 6455 5.5.1',
    exchange: [
      {
        send: [binary(counting(262_144)), close(1000)],
        expect: [{ kind: 'binary', payload: counting(262_144) }],
      },
    ],
    end: closes(1000),
  },
]

/** The application closes: `close CODE REASON` makes it do so. */
const own: readonly Case[] = [
  ...[1000, 1001, 1008, 1011, 3000, 4999].map((code): Case => ({
    title: `it closes with ${code}`,
    section: 'RFC 6455 7.1.2',
    profile: 'commands',
    exchange: [{ send: [text(`close ${code}`)], expect: [] }],
    end: closes(code),
    told: { code, reason: '', wasClean: true },
  })),
  {
    title: 'it closes with a reason',
    section: 'RFC 6455 7.1.6',
    profile: 'commands',
    exchange: [{ send: [text('close 4000 gone for lunch €')], expect: [] }],
    end: { kind: 'close', codes: [4000], reason: utf8('gone for lunch €') },
  },
  {
    title: 'it closes with a reason of 123 bytes',
    section: 'RFC 6455 5.5.1',
    profile: 'commands',
    exchange: [{ send: [text(`close 4000 ${'r'.repeat(123)}`)], expect: [] }],
    end: { kind: 'close', codes: [4000], reason: utf8('r'.repeat(123)) },
  },
  {
    title: 'both close at once',
    section: 'RFC 6455 7.1.1',
    profile: 'commands',
    exchange: [{ send: [text('close 4000'), close(4001)], expect: [] }],
    end: closes(4000),
    told: { code: 4001, wasClean: true },
  },
  {
    title: 'it closes, and is sent a ping and a message before the answer',
    section: 'RFC 6455 5.5.1',
    profile: 'commands',
    exchange: [{ send: [text('close 4000'), ping('late'), text('late')], expect: [] }],
    end: closes(4000),
    told: { code: 4000, wasClean: true },
  },
  {
    title: 'it closes, and is sent a fragment that is never finished',
    section: 'RFC 6455 5.5.1',
    profile: 'commands',
    exchange: [{ send: [text('close 4000'), text('late', { fin: false })], expect: [] }],
    end: closes(4000),
  },
  {
    title: 'it closes twice: one close frame',
    section: 'RFC 6455 5.5.1',
    profile: 'commands',
    exchange: [{ send: [text('close 4000'), text('close 4001')], expect: [] }],
    end: closes(4000),
  },
  {
    title: 'it closes, and the answer breaks the rules',
    section: 'RFC 6455 7.1.7',
    profile: 'commands',
    exchange: [{ send: [text('close 4000'), close(1005)], expect: [] }],
    end: closes(4000),
  },
  {
    title: 'it aborts: no close frame',
    section: 'RFC 6455 7.1.7',
    profile: 'commands',
    exchange: [{ send: [text('abort')], expect: [] }],
    end: gone('itself'),
    told: { code: 1006, wasClean: false },
  },
  {
    title: 'it closes, and nobody answers: it ends the connection in the end',
    section: 'RFC 6455 7.1.1',
    profile: 'impatient',
    exchange: [{ send: [text('close 4000')], expect: [] }],
    end: { kind: 'unanswered', codes: [4000] },
    told: { code: 1006, wasClean: false },
  },
]

/** Both ends are open: what is reset before that is no WebSocket yet. */
const sign: Exchange = { send: [ping('sign')], expect: [gotPong('sign')] }

const cut: readonly (readonly [name: string, sent: readonly Exchange[]])[] = [
  ['between two frames', []],
  ['inside the header of a frame', [{ send: [Uint8Array.of(0x82)], expect: [] }]],
  ['inside a payload', [{ send: [text('abc', { length: 100n })], expect: [] }]],
  ['between fragments', [{ send: [text('abc', { fin: false })], expect: [] }]],
  ['inside a ping', [{ send: [ping('abc', { length: 100n })], expect: [] }]],
  ['behind a message', [{ send: [text('abc')], expect: [gotText('abc')] }]],
  ['behind a pong', [{ send: [pong('abc'), text('a')], expect: [gotText('a')] }]],
]

const vanished: readonly Case[] = cut.flatMap(([name, exchange]) =>
  (['end', 'reset'] as const).map((by): Case => ({
    title: `the connection ${by === 'end' ? 'ends' : 'is reset'} ${name}`,
    section: 'RFC 6455 7.1.5',
    exchange: [sign, ...exchange],
    end: gone(by),
    told: { code: 1006, reason: '', wasClean: false },
  })),
)

const told: readonly Case[] = [
  {
    title: 'a broken rule is told with the code that was sent',
    section: 'RFC 6455 7.1.5',
    exchange: [{ send: [text('a', { rsv: 1 })], expect: [] }],
    end: closes(1002),
    told: { code: 1002, wasClean: false },
  },
  {
    title: 'text that is none is told with 1007',
    section: 'RFC 6455 7.1.5',
    exchange: [{ send: [text(Uint8Array.of(0xff))], expect: [] }],
    end: closes(1007),
    told: { code: 1007, wasClean: false },
  },
  {
    title: 'a message over the limit is told with 1009',
    section: 'RFC 6455 7.1.5',
    exchange: [{ send: [binary('', { form: 64, length: 1n << 40n })], expect: [] }],
    end: closes(1009),
    told: { code: 1009, wasClean: false },
  },
  {
    title: 'a close of one byte is told with 1002',
    section: 'RFC 6455 7.1.5',
    exchange: [{ send: [frame(Opcode.Close, Uint8Array.of(3))], expect: [] }],
    end: closes(1002),
    told: { code: 1002, wasClean: false },
  },
  {
    title: 'a close whose reason is no text is told with 1007',
    section: 'RFC 6455 7.1.5',
    exchange: [{ send: [frame(Opcode.Close, closeBody(1000, Uint8Array.of(0xff)))], expect: [] }],
    end: closes(1007),
    told: { code: 1007, wasClean: false },
  },
]

export const closing: readonly Family[] = [
  { name: 'close', cases: [...codes, ...bodies, ...after] },
  { name: 'close-own', cases: own },
  { name: 'vanish', cases: vanished },
  { name: 'told', cases: told },
]
