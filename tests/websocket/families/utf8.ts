// Text is UTF-8, and what is not is refused as soon as that is certain (RFC 6455, section 8.1).

import {
  aftermath,
  binary,
  close,
  closeBody,
  closes,
  frame,
  gotBinary,
  gotPong,
  gotText,
  next,
  ping,
  text,
  type Case,
  type Family,
} from '../case.ts'
import { hex, Opcode, utf8 as encode } from '../wire.ts'

const section = 'RFC 6455 8.1'

/** First and last code points of every length, and of the gap between. */
const codePoints: readonly number[] = [
  0x0, 0x1, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xfdd0, 0xfeff,
  0xfffd, 0xfffe, 0xffff, 0x1_0000, 0x1_fffe, 0x3_ffff, 0x4_0000, 0xf_ffff, 0x10_0000, 0x10_fffe,
  0x10_ffff,
]

const valid: readonly Case[] = [
  ...codePoints.map((code): Case => {
    const one = String.fromCodePoint(code)
    return {
      title: `U+${code.toString(16).toUpperCase().padStart(4, '0')}, alone and among others`,
      section,
      exchange: [
        { send: [text(one)], expect: [gotText(one)] },
        { send: [text(`a${one}é${one}${one}z`)], expect: [gotText(`a${one}é${one}${one}z`)] },
      ],
    }
  }),
  ...['κόσμε', 'Hello-µ@ßöäüàá-UTF-8!!', '日本語', '👩‍👩‍👧‍👧 🏳️‍🌈', '\u{feff}BOM first'].map(
    (words): Case => ({
      title: `'${words.replace('\u{feff}', '')}' comes back as it was`,
      section,
      exchange: [{ send: [text(words)], expect: [gotText(words)] }],
    }),
  ),
  {
    title: 'every code point of two bytes in one text',
    section,
    exchange: [{ send: [text(everyPair())], expect: [gotText(everyPair())] }],
  },
]

function everyPair(): string {
  return Array.from({ length: 0x800 - 0x80 }, (_, at) => String.fromCodePoint(0x80 + at)).join('')
}

/** Each as the rule that it breaks names it. */
const invalid: readonly (readonly [name: string, bytes: string])[] = [
  ['the first continuation byte alone', '80'],
  ['the last continuation byte alone', 'bf'],
  ['two continuation bytes', '80 bf'],
  ['three continuation bytes', '80 bf 80'],
  ['four continuation bytes', '80 bf 80 bf'],
  ['a continuation byte too many after two bytes', 'c3 a9 a9'],
  ['a continuation byte too many after three bytes', 'e2 82 ac ac'],
  ['a continuation byte too many after four bytes', 'f0 9f 98 80 80'],
  ['U+0000 in 2 bytes', 'c0 80'],
  ['U+002F in 2 bytes', 'c0 af'],
  ['U+007F in 2 bytes', 'c1 bf'],
  ['U+0000 in 3 bytes', 'e0 80 80'],
  ['U+002F in 3 bytes', 'e0 80 af'],
  ['U+07FF in 3 bytes', 'e0 9f bf'],
  ['U+0000 in 4 bytes', 'f0 80 80 80'],
  ['U+FFFF in 4 bytes', 'f0 8f bf bf'],
  ['U+0000 in 5 bytes', 'f8 80 80 80 80'],
  ['U+1FFFFF in 5 bytes', 'f8 87 bf bf bf'],
  ['U+0000 in 6 bytes', 'fc 80 80 80 80 80'],
  ['U+7FFFFFFF in 6 bytes', 'fd bf bf bf bf bf'],
  ['surrogate U+D800', 'ed a0 80'],
  ['surrogate U+DB7F', 'ed ad bf'],
  ['surrogate U+DBFF', 'ed af bf'],
  ['surrogate U+DC00', 'ed b0 80'],
  ['surrogate U+DFFF', 'ed bf bf'],
  ['a pair of surrogates', 'ed a0 bd ed b8 80'],
  ['U+110000', 'f4 90 80 80'],
  ['U+13FFFF', 'f4 bf bf bf'],
  ['U+140000', 'f5 80 80 80'],
  ...['c0', 'c1', 'f5', 'f6', 'f7', 'f8', 'fb', 'fc', 'fd', 'fe', 'ff'].map(
    (byte): readonly [string, string] => [`byte ${byte}`, byte],
  ),
  ['c2 in front of a letter', 'c2 41'],
  ['df in front of c2', 'df c2 80'],
  ['e1 in front of a letter', 'e1 41 80'],
  ['e1 80 in front of a letter', 'e1 80 41'],
  ['e1 80 in front of c2', 'e1 80 c2 80'],
  ['f1 in front of a letter', 'f1 41 80 80'],
  ['f1 80 in front of a letter', 'f1 80 41 80'],
  ['f1 80 80 in front of a letter', 'f1 80 80 41'],
  ['f1 80 80 in front of f1', 'f1 80 80 f1 80 80 80'],
]

const refusedText: readonly Case[] = invalid.flatMap(([name, bytes]): readonly Case[] => [
  {
    title: `${name} in a text`,
    section,
    exchange: [{ send: [text(around(bytes)), ...aftermath], expect: [] }],
    end: closes(1007),
  },
])

function around(bytes: string): Uint8Array {
  return Uint8Array.from([...encode('κόσ'), ...hex(bytes), ...encode('με')])
}

const truncated = ['c3', 'e2', 'e2 82', 'f0', 'f0 9f', 'f0 9f 98', 'ed', 'ed 9f', 'f4', 'f4 8f']

const cutOff: readonly Case[] = truncated.flatMap((bytes): readonly Case[] => [
  {
    title: `text that ends after ${bytes}`,
    section,
    exchange: [{ send: [text(Uint8Array.from([0x61, ...hex(bytes)])), ...aftermath], expect: [] }],
    end: closes(1007),
  },
  {
    title: `text that ends after ${bytes}, in an empty last fragment`,
    section,
    exchange: [{ send: [text(hex(bytes), { fin: false }), next(''), ...aftermath], expect: [] }],
    end: closes(1007),
  },
])

/** What nothing could make right any more is refused at once: no byte follows. */
const early: readonly (readonly [name: string, bytes: string])[] = [
  ['a stray continuation byte', '61 80'],
  ['an overlong c0', '61 c0'],
  ['an overlong e0 80', 'e0 80'],
  ['an overlong f0 80', 'f0 80'],
  ['a surrogate ed a0', 'ed a0'],
  ['f4 90, beyond U+10FFFF', 'f4 90'],
  ['byte f5', 'f5'],
  ['byte ff behind 20 letters', `${'61'.repeat(20)} ff`],
  ['a letter inside a code point', 'e2 82 41'],
]

const failFast: readonly Case[] = early.flatMap(([name, bytes]): readonly Case[] => [
  {
    title: `${name} in a fragment that is not the last: refused before the next`,
    section,
    exchange: [{ send: [text(hex(bytes), { fin: false })], expect: [] }],
    end: closes(1007),
  },
  {
    title: `${name} at the head of a frame that has not come in full: refused before the rest`,
    section,
    exchange: [
      {
        send: [text(hex(bytes), { length: BigInt(hex(bytes).length + 1_000), form: 16 })],
        expect: [],
      },
    ],
    end: closes(1007),
  },
  {
    title: `${name} in the third fragment: refused before the fourth`,
    section,
    exchange: [
      {
        send: [
          text('κό', { fin: false }),
          next('σμε', { fin: false }),
          next(hex(bytes), { fin: false }),
        ],
        expect: [],
      },
    ],
    end: closes(1007),
  },
])

const split: readonly Case[] = ['é', '€', '😀'].flatMap((letter): readonly Case[] => {
  const bytes = encode(letter)
  return Array.from({ length: bytes.length - 1 }, (_, at): readonly Case[] => [
    {
      title: `'${letter}' cut after byte ${at + 1} by a fragment`,
      section,
      exchange: [
        {
          send: [text(bytes.subarray(0, at + 1), { fin: false }), next(bytes.subarray(at + 1))],
          expect: [gotText(letter)],
        },
      ],
    },
    {
      title: `'${letter}' cut after byte ${at + 1}, with a ping and an empty fragment between`,
      section,
      exchange: [
        {
          send: [
            text(bytes.subarray(0, at + 1), { fin: false }),
            ping('p'),
            next('', { fin: false }),
            next(bytes.subarray(at + 1)),
          ],
          expect: [gotText(letter), gotPong('p')],
        },
      ],
    },
    {
      title: `'${letter}' cut after byte ${at + 1}, and something else behind the cut`,
      section,
      exchange: [
        {
          send: [text(bytes.subarray(0, at + 1), { fin: false }), next('a', { fin: false })],
          expect: [],
        },
      ],
      end: closes(1007),
    },
    {
      title: `'${letter}' cut after byte ${at + 1} by the end of a message, the rest in another`,
      section,
      exchange: [
        {
          send: [text(bytes.subarray(0, at + 1)), text(bytes.subarray(at + 1)), ...aftermath],
          expect: [],
        },
      ],
      end: closes(1007),
    },
  ]).flat()
})

/** The rules of the second byte hold across a cut as well. */
const splitInvalid: readonly Case[] = (
  [
    ['e0', '80 80'],
    ['ed', 'a0 80'],
    ['f0', '8f bf bf'],
    ['f4', '90 80 80'],
  ] as const
).map(([first, rest]): Case => ({
  title: `${first} | ${rest}: refused though each fragment could be right`,
  section,
  exchange: [
    { send: [text(hex(first), { fin: false }), next(hex(rest), { fin: false })], expect: [] },
  ],
  end: closes(1007),
}))

const elsewhere: readonly Case[] = [
  {
    title: 'every letter of a text in a fragment of its own byte by byte',
    section,
    exchange: [
      {
        send: [...encode('κόσμε 😀')].map((byte, at, all) =>
          at === 0
            ? text(Uint8Array.of(byte), { fin: false })
            : next(Uint8Array.of(byte), { fin: at === all.length - 1 }),
        ),
        expect: [gotText('κόσμε 😀')],
      },
    ],
  },
  {
    title: 'binary may hold anything',
    section: 'RFC 6455 5.6',
    exchange: [
      { send: [binary(hex('c0 ff ed a0 80 f5'))], expect: [gotBinary(hex('c0 ff ed a0 80 f5'))] },
    ],
  },
  {
    title: 'binary in fragments may hold anything',
    section: 'RFC 6455 5.6',
    exchange: [
      {
        send: [binary(hex('e2 82'), { fin: false }), next(hex('ff'))],
        expect: [gotBinary(hex('e2 82 ff'))],
      },
    ],
  },
  {
    title: 'a text after a binary that was no text',
    section,
    exchange: [
      { send: [binary(hex('e2 82'))], expect: [gotBinary(hex('e2 82'))] },
      { send: [text('a')], expect: [gotText('a')] },
    ],
  },
]

const reasons: readonly Case[] = [
  ...['80', 'c0 80', 'e2 82', 'ed a0 80', 'f4 90 80 80', 'ff', 'f0 9f 98'].map((bytes): Case => ({
    title: `close whose reason has ${bytes}`,
    section: 'RFC 6455 5.5.1',
    exchange: [
      { send: [frame(Opcode.Close, closeBody(1000, hex(bytes))), ...aftermath], expect: [] },
    ],
    end: closes(1007),
  })),
  ...['é', '€ 😀', '\u{feff}a'].map((reason): Case => ({
    title: `close whose reason is '${reason.replace('\u{feff}', 'BOM ')}'`,
    section: 'RFC 6455 5.5.1',
    exchange: [{ send: [close(1000, reason)], expect: [] }],
    end: closes(1000),
    told: { code: 1000, reason, wasClean: true },
  })),
]

export const utf8: readonly Family[] = [
  { name: 'utf8', cases: [...valid, ...refusedText, ...cutOff, ...elsewhere] },
  { name: 'utf8-split', cases: [...split, ...splitInvalid] },
  { name: 'utf8-early', cases: failFast },
  { name: 'reason', cases: reasons },
]
