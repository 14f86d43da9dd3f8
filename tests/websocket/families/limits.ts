// Limits of size and of count, each at its border and one beyond (RFC 6455, sections 7.4.1 and 10.4).

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
  text,
  type Case,
  type Family,
} from '../case.ts'

/** Of the profile `limited`. */
export const limits = { maxMessage: 4_096, maxFragments: 8 } as const
const { maxMessage, maxFragments } = limits

const letters = (size: number): Uint8Array => new Uint8Array(size).fill(0x61)

const sizes: readonly Case[] = [maxMessage - 1, maxMessage].flatMap((size): readonly Case[] => [
  {
    title: `text of ${size} bytes, the most being ${maxMessage}`,
    section: 'RFC 6455 10.4',
    profile: 'limited',
    exchange: [{ send: [text(letters(size))], expect: [gotText(letters(size))] }],
  },
  {
    title: `binary of ${size} bytes in 4 fragments, the most being ${maxMessage}`,
    section: 'RFC 6455 10.4',
    profile: 'limited',
    exchange: [
      {
        send: [
          binary(letters(1_024), { fin: false }),
          next(letters(1_024), { fin: false }),
          next(letters(1_024), { fin: false }),
          next(letters(size - 3_072)),
        ],
        expect: [gotBinary(letters(size))],
      },
    ],
  },
])

const beyond = [maxMessage + 1, 2 * maxMessage, 65_535, 65_536]

const tooBig: readonly Case[] = beyond.flatMap((size): readonly Case[] => [
  {
    title: `text of ${size} bytes, the most being ${maxMessage}`,
    section: 'RFC 6455 7.4.1',
    profile: 'limited',
    exchange: [{ send: [text(letters(size)), ...aftermath], expect: [] }],
    end: closes(1009),
  },
  {
    title: `binary that announces ${size} bytes, none of them sent`,
    section: 'RFC 6455 7.4.1',
    profile: 'limited',
    exchange: [{ send: [binary('', { length: BigInt(size) })], expect: [] }],
    end: closes(1009),
  },
  {
    title: `a last fragment that makes it ${size} bytes, none of them sent`,
    section: 'RFC 6455 7.4.1',
    profile: 'limited',
    exchange: [
      {
        send: [binary(letters(4_000), { fin: false }), next('', { length: BigInt(size - 4_000) })],
        expect: [],
      },
    ],
    end: closes(1009),
  },
])

const parts = (count: number, size: number, last = true): ReturnType<typeof next>[] =>
  Array.from({ length: count }, (_, at) => {
    const more = { fin: last && at === count - 1 }
    return at === 0 ? binary(letters(size), more) : next(letters(size), more)
  })

const counts: readonly Case[] = [
  ...[1, 0].flatMap((size): readonly Case[] => [
    {
      title: `${maxFragments} fragments of ${size} bytes, the most being ${maxFragments}`,
      section: 'RFC 6455 10.4',
      profile: 'limited',
      exchange: [
        { send: parts(maxFragments, size), expect: [gotBinary(letters(size * maxFragments))] },
      ],
    },
    {
      title: `${maxFragments + 1} fragments of ${size} bytes, the last among them`,
      section: 'RFC 6455 10.4',
      profile: 'limited',
      exchange: [{ send: [...parts(maxFragments + 1, size), ...aftermath], expect: [] }],
      end: closes(1009, 1008),
    },
    {
      title: `fragments of ${size} bytes without an end`,
      section: 'RFC 6455 10.4',
      profile: 'limited',
      exchange: [{ send: parts(maxFragments + 1, size, false), expect: [] }],
      end: closes(1009, 1008),
    },
  ]),
  {
    title: 'control frames between fragments are not counted',
    section: 'RFC 6455 5.4',
    profile: 'limited',
    exchange: [
      ...parts(maxFragments - 1, 1, false).map((part) => ({
        send: [part, ping('p')],
        expect: [gotPong('p')],
      })),
      { send: [next('a')], expect: [gotBinary(letters(maxFragments))] },
    ],
  },
  {
    title: 'the count begins anew with each message',
    section: 'RFC 6455 5.4',
    profile: 'limited',
    exchange: Array.from({ length: 3 }, () => ({
      send: parts(maxFragments, 1),
      expect: [gotBinary(letters(maxFragments))],
    })),
  },
  {
    title: 'the size begins anew with each message',
    section: 'RFC 6455 10.4',
    profile: 'limited',
    exchange: [
      {
        send: Array.from({ length: 3 }, () => binary(counting(maxMessage))),
        expect: Array.from({ length: 3 }, () => gotBinary(counting(maxMessage))),
      },
    ],
  },
  {
    title: 'a whole message after one in fragments: neither size nor count is left over',
    section: 'RFC 6455 10.4',
    profile: 'limited',
    exchange: [
      { send: parts(maxFragments, 512), expect: [gotBinary(letters(maxMessage))] },
      { send: [binary(letters(maxMessage))], expect: [gotBinary(letters(maxMessage))] },
      { send: parts(maxFragments, 512), expect: [gotBinary(letters(maxMessage))] },
    ],
  },
]

export const limit: readonly Family[] = [
  { name: 'max-message', cases: [...sizes, ...tooBig] },
  { name: 'max-fragments', cases: counts },
]
