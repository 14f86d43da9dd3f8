// Frames: lengths, masks, reserved bits, opcodes (RFC 6455, sections 5.1 to 5.3).

import {
  aftermath,
  binary,
  close,
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
import { hex, type Frame } from '../wire.ts'

/** Letters, so that the same bytes do as text and as binary. */
function letters(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => 0x61 + (at % 26))
}

/** The borders of all three forms. */
const sizes = [
  0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 257, 32_767, 32_768, 65_534, 65_535, 65_536, 65_537,
  131_072, 1_048_576,
]

const lengths: readonly Case[] = sizes.flatMap((size): readonly Case[] => [
  {
    title: `text of ${size} bytes comes back`,
    section: 'RFC 6455 5.2',
    exchange: [{ send: [text(letters(size))], expect: [gotText(letters(size))] }],
  },
  {
    title: `binary of ${size} bytes comes back`,
    section: 'RFC 6455 5.2',
    exchange: [{ send: [binary(counting(size))], expect: [gotBinary(counting(size))] }],
  },
])

const longForms: readonly (readonly [form: 16 | 64, size: number])[] = [
  [16, 0],
  [16, 1],
  [16, 124],
  [16, 125],
  [64, 0],
  [64, 125],
  [64, 126],
  [64, 127],
  [64, 65_534],
  [64, 65_535],
]

const notMinimal: readonly Case[] = longForms.flatMap(([form, size]): readonly Case[] => [
  {
    title: `binary of ${size} bytes with its length in ${form} bits`,
    section: 'RFC 6455 5.2',
    exchange: [{ send: [binary(letters(size), { form }), ...aftermath], expect: [] }],
    end: closes(1002),
  },
  {
    title: `continuation of ${size} bytes with its length in ${form} bits`,
    section: 'RFC 6455 5.2',
    exchange: [
      {
        send: [text('a', { fin: false }), next(letters(size), { form }), ...aftermath],
        expect: [],
      },
    ],
    end: closes(1002),
  },
])

/** Announced, not sent: the header alone has to do. */
const announced: readonly (readonly [name: string, length: bigint, code: number])[] = [
  ['2^63', 1n << 63n, 1002],
  ['2^63 + 5', (1n << 63n) + 5n, 1002],
  ['2^64 - 1', (1n << 64n) - 1n, 1002],
  ['2^63 - 1', (1n << 63n) - 1n, 1009],
  ['2^62', 1n << 62n, 1009],
  ['2^53', 1n << 53n, 1009],
  ['2^53 + 1', (1n << 53n) + 1n, 1009],
  ['2^53 - 1', (1n << 53n) - 1n, 1009],
  ['2^32 + 5, which is 5 in 32 bits', (1n << 32n) + 5n, 1009],
  ['2^32', 1n << 32n, 1009],
  ['2^32 - 1, which is -1 in 32 bits', (1n << 32n) - 1n, 1009],
  ['2^31, which is negative in 32 bits', 1n << 31n, 1009],
]

const tooLong: readonly Case[] = announced.flatMap(([name, length, code]): readonly Case[] => [
  {
    title: `binary that announces ${name} bytes`,
    section: code === 1002 ? 'RFC 6455 5.2' : 'RFC 6455 7.4.1',
    exchange: [{ send: [binary('', { form: 64, length })], expect: [] }],
    end: closes(code),
  },
  {
    title: `text whose continuation announces ${name} bytes`,
    section: code === 1002 ? 'RFC 6455 5.2' : 'RFC 6455 7.4.1',
    exchange: [{ send: [text('a', { fin: false }), next('', { form: 64, length })], expect: [] }],
    end: closes(code),
  },
])

const kinds: readonly (readonly [name: string, frames: readonly Frame[]])[] = [
  ['text', [text('a')]],
  ['text without a byte', [text('')]],
  ['binary', [binary('a')]],
  ['binary of 126 bytes', [binary(letters(126))]],
  ['binary of 65,536 bytes', [binary(letters(65_536))]],
  ['continuation', [text('a', { fin: false }), next('b')]],
  ['ping', [ping('a')]],
  ['ping without a byte', [ping()]],
  ['pong', [pong('a')]],
  ['close', [close(1000)]],
  ['close without a code', [close()]],
]

/** The last frame of each is the one that breaks the rule. */
function breaking(frames: readonly Frame[], change: Partial<Frame>): readonly Frame[] {
  return [...frames.slice(0, -1), { ...frames.at(-1)!, ...change }]
}

const masking: readonly Case[] = kinds.flatMap(([name, frames]): readonly Case[] => [
  {
    title: `${name} that is not masked`,
    section: 'RFC 6455 5.1',
    role: 'server',
    exchange: [{ send: [...breaking(frames, { masked: false }), ...aftermath], expect: [] }],
    end: closes(1002),
  },
  {
    title: `${name} that is masked`,
    section: 'RFC 6455 5.1',
    role: 'client',
    exchange: [{ send: [...breaking(frames, { masked: true }), ...aftermath], expect: [] }],
    end: closes(1002),
  },
])

const keys: readonly string[] = [
  '00 00 00 00',
  'ff ff ff ff',
  '80 00 00 00',
  '00 80 00 00',
  '00 00 80 00',
  '00 00 00 80',
  '01 02 03 04',
  'fe dc ba 98',
]

const masks: readonly Case[] = [
  ...keys.map((key): Case => ({
    title: `mask key ${key}, 259 bytes`,
    section: 'RFC 6455 5.3',
    role: 'server',
    exchange: [
      {
        send: [binary(counting(259), { key: keyOf(key) })],
        expect: [gotBinary(counting(259))],
      },
    ],
  })),
  // Every way for a payload to lie across words of 4 and 8 bytes.
  ...Array.from({ length: 20 }, (_, at): Case => ({
    title: `${at + 3} bytes behind ${at % 8} others, both with keys of their own`,
    section: 'RFC 6455 5.3',
    role: 'server',
    exchange: [
      {
        send: [
          ping(counting(at % 8), { key: [9, 8, 7, 6] }),
          binary(counting(at + 3), { key: [0x12, 0x34, 0x56, 0x78] }),
        ],
        expect: [gotPong(counting(at % 8)), gotBinary(counting(at + 3))],
      },
    ],
  })),
  {
    title: 'every fragment with another key',
    section: 'RFC 6455 5.3',
    role: 'server',
    exchange: [
      {
        send: [
          binary(counting(5), { fin: false, key: [1, 2, 3, 4] }),
          next(counting(6), { fin: false, key: [5, 6, 7, 8] }),
          next(counting(7), { key: [9, 10, 11, 12] }),
        ],
        expect: [gotBinary(Uint8Array.from([...counting(5), ...counting(6), ...counting(7)]))],
      },
    ],
  },
  {
    title: '64 messages back: every frame masked with a key not seen before',
    section: 'RFC 6455 5.3',
    role: 'client',
    exchange: [
      {
        send: Array.from({ length: 64 }, (_, at) => binary(counting(at))),
        expect: Array.from({ length: 64 }, (_, at) => gotBinary(counting(at))),
      },
    ],
  },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33].map((size): Case => ({
    title: `${size} bytes three times: masked right at every length`,
    section: 'RFC 6455 5.3',
    role: 'client',
    exchange: [
      {
        send: Array.from({ length: 3 }, () => binary(counting(size))),
        expect: Array.from({ length: 3 }, () => gotBinary(counting(size))),
      },
    ],
  })),
]

function keyOf(text: string): [number, number, number, number] {
  const [a, b, c, d] = hex(text)
  return [a!, b!, c!, d!]
}

const firstFrames: readonly (readonly [name: string, frames: readonly Frame[]])[] = [
  ['text', [text('a')]],
  ['binary', [binary('a')]],
  ['the first fragment', [text('a', { fin: false })]],
  ['the last fragment', [text('a', { fin: false }), next('b')]],
  ['ping', [ping('a')]],
  ['pong', [pong('a')]],
  ['close', [close(1000)]],
]

const bits = [1, 2, 3, 4, 5, 6, 7]

function bitNames(rsv: number): string {
  return [4, 2, 1].flatMap((bit, at) => ((rsv & bit) === 0 ? [] : [`RSV${at + 1}`])).join(' and ')
}

const reserved: readonly Case[] = firstFrames.flatMap(([name, frames]) =>
  bits.map((rsv): Case => ({
    title: `${bitNames(rsv)} on ${name}, no extension agreed`,
    section: 'RFC 6455 5.2',
    exchange: [{ send: [...breaking(frames, { rsv }), ...aftermath], expect: [] }],
    end: closes(1002),
  })),
)

const unknown = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]

const opcodes: readonly Case[] = unknown.flatMap((opcode): readonly Case[] => [
  {
    title: `opcode ${opcode} without a payload`,
    section: 'RFC 6455 5.2',
    exchange: [{ send: [frame(opcode, ''), ...aftermath], expect: [] }],
    end: closes(1002),
  },
  {
    title: `opcode ${opcode} as a fragment`,
    section: 'RFC 6455 5.2',
    exchange: [{ send: [frame(opcode, 'abc', { fin: false }), ...aftermath], expect: [] }],
    end: closes(1002),
  },
  {
    title: `opcode ${opcode} between fragments of a text`,
    section: 'RFC 6455 5.2',
    exchange: [
      {
        send: [text('a', { fin: false }), frame(opcode, 'b'), next('c'), ...aftermath],
        expect: [],
      },
    ],
    end: closes(1002),
  },
  {
    title: `opcode ${opcode} after an answered message`,
    section: 'RFC 6455 5.2',
    exchange: [
      { send: [text('before')], expect: [gotText('before')] },
      { send: [frame(opcode, counting(126)), ...aftermath], expect: [] },
    ],
    end: closes(1002),
  },
])

const series: readonly Case[] = [
  {
    title: 'text and binary by turns, one write',
    section: 'RFC 6455 5.6',
    exchange: [
      {
        send: [text('a'), binary('b'), text(''), binary(''), text('c')],
        expect: [gotText('a'), gotBinary('b'), gotText(''), gotBinary(''), gotText('c')],
      },
    ],
  },
  {
    title: '100 messages in one write, back in order',
    section: 'RFC 6455 5.4',
    exchange: [
      {
        send: Array.from({ length: 100 }, (_, at) => text(`message ${at}`)),
        expect: Array.from({ length: 100 }, (_, at) => gotText(`message ${at}`)),
      },
    ],
  },
  {
    title: 'messages at every border of length, one write',
    section: 'RFC 6455 5.2',
    exchange: [
      {
        send: [0, 125, 126, 65_535, 65_536].map((size) => binary(counting(size))),
        expect: [0, 125, 126, 65_535, 65_536].map((size) => gotBinary(counting(size))),
      },
    ],
  },
  {
    title: 'a message is answered before anything follows it',
    section: 'RFC 6455 5.4',
    exchange: ['one', 'two', 'three'].map((word) => ({
      send: [text(word)],
      expect: [gotText(word)],
    })),
  },
]

export const framing: readonly Family[] = [
  { name: 'length', cases: [...lengths, ...notMinimal, ...tooLong] },
  { name: 'mask', cases: [...masking, ...masks] },
  { name: 'rsv', cases: reserved },
  { name: 'opcode', cases: opcodes },
  { name: 'series', cases: series },
]
