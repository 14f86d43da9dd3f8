// Compressed messages, right and wrong (RFC 7692, sections 6 and 7.2), for both roles.

import { constants } from 'node:zlib'
import {
  aftermath,
  binary,
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
  type Family,
} from '../case.ts'
import { compress, compressFinal, type Compress } from '../deflate.ts'
import { hex, type Frame } from '../wire.ts'
import { compressed, repeating, rsv1, small } from './deflate-terms.ts'

/** Section 7.2.3. */
const examples: readonly (readonly [name: string, section: string, frames: readonly Frame[]])[] = [
  ['one block', '7.2.3.1', [text(hex('f2 48 cd c9 c9 07 00'), rsv1)]],
  [
    'one block in two fragments',
    '7.2.3.1',
    [text(hex('f2 48 cd'), { ...rsv1, fin: false }), next(hex('c9 c9 07 00'))],
  ],
  [
    'a block that is not compressed',
    '7.2.3.3',
    [text(hex('00 05 00 fa ff 48 65 6c 6c 6f 00'), rsv1)],
  ],
  ['a block with BFINAL set', '7.2.3.4', [text(hex('f3 48 cd c9 c9 07 00 00'), rsv1)]],
  ['two blocks', '7.2.3.5', [text(hex('f2 48 05 00 00 00 ff ff ca c9 c9 07 00'), rsv1)]],
]

const valid: readonly Case[] = [
  ...examples.flatMap(([name, section, frames]) =>
    compressed({
      title: `'Hello' in ${name}, as in the example`,
      section: `RFC 7692 ${section}`,
      exchange: [{ send: frames, expect: [gotText('Hello')] }],
    }),
  ),
  ...[1, 2, 3, 4, 5, 6].flatMap((at) =>
    compressed({
      title: `'Hello' cut after byte ${at} of 7 by a fragment`,
      section: 'RFC 7692 7.2.2',
      exchange: [
        {
          send: [
            text(hex('f2 48 cd c9 c9 07 00').subarray(0, at), { ...rsv1, fin: false }),
            next(hex('f2 48 cd c9 c9 07 00').subarray(at)),
          ],
          expect: [gotText('Hello')],
        },
      ],
    }),
  ),
  ...[0, 1, 100, 125, 126, 1_000, 32_768, 65_535, 65_536, 1_048_576].flatMap((size) =>
    compressed({
      title: `${size} bytes, compressed`,
      section: 'RFC 7692 7.2.2',
      exchange: [
        { send: [binary(compress(counting(size)), rsv1)], expect: [gotBinary(counting(size))] },
      ],
    }),
  ),
  ...(
    [
      ['the empty block alone', '00'],
      ['no byte at all', ''],
      ['two empty blocks', '00 00 00 ff ff 00'],
      ['an empty fixed block', '02 00'],
    ] as const
  ).flatMap(([name, bytes]) =>
    compressed({
      title: `an empty message as ${name}`,
      section: 'RFC 7692 7.2.3.6',
      exchange: [
        { send: [text(hex(bytes), rsv1), ping('p')], expect: [gotText(''), gotPong('p')] },
      ],
    }),
  ),
  ...(
    [
      ['stored blocks only', { level: 0 }],
      ['fixed codes only', { strategy: constants.Z_FIXED }],
      ['Huffman codes only', { strategy: constants.Z_HUFFMAN_ONLY }],
      ['run lengths only', { strategy: constants.Z_RLE }],
      ['the best level', { level: 9 }],
    ] as const
  ).flatMap(([name, how]: readonly [string, Compress]) =>
    compressed({
      title: `70,000 bytes with ${name}`,
      section: 'RFC 7692 7.2.1',
      exchange: [
        {
          send: [binary(compress(repeating(7_000, 10), how), rsv1)],
          expect: [small('binary', repeating(7_000, 10))],
        },
      ],
    }),
  ),
  ...compressed({
    title: 'a message with BFINAL set, then one without',
    section: 'RFC 7692 7.2.3.4',
    exchange: [
      { send: [text(compressFinal('first'), rsv1)], expect: [gotText('first')] },
      { send: [text(compress('second'), rsv1)], expect: [gotText('second')] },
    ],
  }),
]

const mixed: readonly Case[] = [
  ...compressed({
    title: 'messages that are not compressed are right as well',
    section: 'RFC 7692 6',
    exchange: [
      {
        send: [text('plain'), text(compress('small'), rsv1), binary('plain again')],
        expect: [gotText('plain'), gotText('small'), gotBinary('plain again')],
      },
    ],
  }),
  ...compressed({
    title: 'a message that is not compressed, in fragments, between two that are',
    section: 'RFC 7692 6',
    exchange: [
      {
        send: [
          text(compress('one'), rsv1),
          text('tw', { fin: false }),
          next('o'),
          text(compress('three'), rsv1),
        ],
        expect: [gotText('one'), gotText('two'), gotText('three')],
      },
    ],
  }),
  ...compressed({
    title: 'a ping and a pong between fragments of a compressed message',
    section: 'RFC 7692 6.2',
    exchange: [
      {
        send: [
          text(hex('f2 48'), { ...rsv1, fin: false }),
          ping('p'),
          next(hex('cd c9'), { fin: false }),
          pong('q'),
          next(hex('c9 07 00')),
        ],
        expect: [gotPong('p'), gotText('Hello')],
      },
    ],
  }),
  ...compressed({
    title: 'empty fragments around and inside a compressed message',
    section: 'RFC 7692 6.1',
    exchange: [
      {
        send: [
          text('', { ...rsv1, fin: false }),
          next(hex('f2 48 cd'), { fin: false }),
          next('', { fin: false }),
          next(hex('c9 c9 07 00'), { fin: false }),
          next(''),
        ],
        expect: [gotText('Hello')],
      },
    ],
  }),
  ...compressed({
    title: "text of all lengths of code points, compressed, cut inside a code point's bytes",
    section: 'RFC 7692 6.2',
    exchange: [
      {
        send: [
          text(compress('κόσμε € 😀', { level: 0 }).subarray(0, 7), { ...rsv1, fin: false }),
          next(compress('κόσμε € 😀', { level: 0 }).subarray(7)),
        ],
        expect: [gotText('κόσμε € 😀')],
      },
    ],
  }),
  ...compressed({
    title: '100 compressed messages in one write, back in order',
    section: 'RFC 7692 7.2.2',
    exchange: [
      {
        send: Array.from({ length: 100 }, (_, at) => text(compress(`message ${at}`), rsv1)),
        expect: Array.from({ length: 100 }, (_, at) => gotText(`message ${at}`)),
      },
    ],
  }),
  ...compressed({
    title: 'long and short by turns: messages keep their order, however long compressing takes',
    section: 'RFC 6455 5.4',
    exchange: [
      {
        send: [1, 2, 3].flatMap((n) => [
          binary(compress(repeating(20_000, 10 + n)), rsv1),
          text(`${n}`),
        ]),
        expect: [1, 2, 3].flatMap((n) => [
          small('binary', repeating(20_000, 10 + n)),
          gotText(`${n}`),
        ]),
      },
    ],
  }),
]

const rsvRules: readonly (readonly [name: string, frames: readonly Frame[]])[] = [
  [
    'RSV1 on a continuation',
    [text(hex('f2 48 cd'), { ...rsv1, fin: false }), next(hex('c9 c9 07 00'), rsv1)],
  ],
  ['RSV1 on a continuation of a message without it', [text('a', { fin: false }), next('b', rsv1)]],
  ['RSV1 on a ping', [ping('p', rsv1)]],
  ['RSV1 on a pong', [pong('p', rsv1)]],
  ['RSV1 on a close', [{ opcode: 8, rsv: 4 }]],
  ['RSV1 on a ping between fragments', [text('a', { fin: false }), ping('p', rsv1), next('b')]],
  ['RSV1 on opcode 3', [{ opcode: 3, rsv: 4 }]],
  ...[1, 2, 3, 5, 6, 7].map((rsv): readonly [string, readonly Frame[]] => [
    `${[4, 2, 1].flatMap((bit, at) => ((rsv & bit) === 0 ? [] : [`RSV${at + 1}`])).join(' and ')} on a compressed text`,
    [text(compress('a'), { rsv })],
  ]),
]

const rsv: readonly Case[] = rsvRules.flatMap(([name, frames]) =>
  compressed({
    title: `${name}, with permessage-deflate`,
    section: 'RFC 7692 6',
    exchange: [{ send: [...frames, ...aftermath], expect: [] }],
    end: closes(1002),
  }),
)

/** RFC 7692 leaves the code open; ours says which rule was broken. */
const broken: readonly (readonly [name: string, bytes: string])[] = [
  ['a block of type 3', '06'],
  ['a block of type 3 with BFINAL set', '07'],
  ['a block of type 3 behind a good one', 'f2 48 cd c9 c9 07 00 00 00 ff ff 06'],
  ['a stored block whose length does not match its complement', '00 05 00 fa fe 48 65 6c 6c 6f 00'],
  ['a stored block cut short', '00 05 00 fa ff 48 65'],
  ['a dynamic block with too many codes', 'fd ff ff ff ff'],
  ['a distance before the beginning', '02 03 02 00'],
  ['an invalid distance code', '02 7e ff ff'],
  ['an invalid length code', '1b 0f'],
  ['ff ff ff ff', 'ff ff ff ff'],
]

const bad: readonly Case[] = [
  ...broken.flatMap(([name, bytes]) =>
    compressed({
      title: `${name}`,
      section: 'RFC 7692 7.2.2',
      exchange: [{ send: [binary(hex(bytes), rsv1), ...aftermath], expect: [] }],
      end: closes(1002, 1007),
    }),
  ),
  ...compressed({
    title: 'a broken block in a first fragment, which nothing can mend',
    section: 'RFC 7692 7.2.2',
    exchange: [
      { send: [binary(hex('06'), { ...rsv1, fin: false }), next('', { fin: true })], expect: [] },
    ],
    end: closes(1002, 1007),
  }),
  ...['ff', 'c0 80', 'ed a0 80', 'e2 82'].flatMap((bytes) =>
    compressed({
      title: `compressed text with ${bytes}, which is no UTF-8`,
      section: 'RFC 6455 8.1',
      exchange: [
        {
          send: [text(compress(Uint8Array.from([0x61, ...hex(bytes)])), rsv1), ...aftermath],
          expect: [],
        },
      ],
      end: closes(1007),
    }),
  ),
]

export const inflate: readonly Family[] = [
  { name: 'inflate', cases: [...valid, ...mixed] },
  { name: 'deflate-rsv', cases: rsv },
  { name: 'deflate-bad', cases: bad },
]
