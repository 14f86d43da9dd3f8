// What a server makes of offered subprotocols, extensions and origins (RFC 6455, sections 4.2.2, 9.1
// and 10.2; RFC 7692, section 7.1).

import { refused, type Case, type Family, type Profile, type Request } from '../case.ts'

const P = 'Sec-WebSocket-Protocol'
const E = 'Sec-WebSocket-Extensions'

/** Of the profiles `subprotocols` and `required`: what the server speaks. */
export const spoken = ['chat', 'superchat', 'v2.example.com'] as const

type ProtocolRow = readonly [offer: string | readonly string[] | undefined, chosen: string]

const chosen: readonly ProtocolRow[] = [
  ['chat', 'chat'],
  ['superchat', 'superchat'],
  ['v2.example.com', 'v2.example.com'],
  ['chat, unknown', 'chat'],
  ['unknown, chat', 'chat'],
  ['unknown,superchat', 'superchat'],
  ['unknown ,\tsuperchat , other', 'superchat'],
  // Section 5.6.1.2 of RFC 9110: empty elements are skipped.
  [',unknown,,superchat, ', 'superchat'],
  [['unknown', 'chat'], 'chat'],
  [['chat', 'unknown'], 'chat'],
]

const notChosen = [
  undefined,
  'unknown',
  'CHAT',
  'cha',
  'chatt',
  'chat2, superchat2',
  '__proto__',
  'constructor',
  'toString, valueOf',
]

function list(offer: ProtocolRow[0]): Request {
  const offers = offer === undefined ? [] : typeof offer === 'string' ? [offer] : offer
  return { headers: offers.map((value) => [P, value] as const) }
}

function named(offer: ProtocolRow[0]): string {
  if (offer === undefined) return 'no subprotocol'
  return `subprotocol ${(typeof offer === 'string' ? [offer] : offer).map((one) => `'${one.trim()}'`).join(' and ')}`
}

const malformed: readonly (string | readonly string[])[] = [
  '',
  ',',
  'ch at',
  'chat; q=1',
  '"chat"',
  'chat, chat',
  ['chat', 'chat'],
  'chat/1',
  'chät',
  'chat, (comment)',
]

const protocols: readonly Case[] = [
  ...chosen.flatMap(([offer, protocol]) =>
    (['subprotocols', 'required'] as const).map((profile): Case => ({
      title: `${named(offer)}: ${protocol}${profile === 'required' ? ', one being required' : ''}`,
      section: 'RFC 6455 4.2.2',
      role: 'server',
      profile,
      request: { ...list(offer), protocol },
    })),
  ),
  ...notChosen.flatMap((offer): readonly Case[] => [
    {
      title: `${named(offer)}: none is chosen`,
      section: 'RFC 6455 4.2.2',
      role: 'server',
      profile: 'subprotocols',
      request: list(offer),
    },
    {
      title: `${named(offer)}: refused where one is required`,
      section: 'RFC 6455 4.2.2',
      role: 'server',
      profile: 'required',
      request: list(offer),
      end: refused(400),
    },
  ]),
  ...malformed.map((offer): Case => ({
    title: `${named(offer)}, which is no list of tokens`,
    section: 'RFC 6455 4.1',
    role: 'server',
    profile: 'subprotocols',
    request: list(offer),
    end: refused(400),
  })),
  {
    title: 'a subprotocol with 5,000 spaces inside',
    section: 'threats H3',
    role: 'server',
    profile: 'subprotocols',
    request: list(`a${' '.repeat(5_000)}x`),
    end: refused(400),
  },
  {
    title: 'two that are spoken: one of them, once',
    section: 'RFC 6455 4.2.2',
    role: 'server',
    profile: 'subprotocols',
    request: { ...list('superchat, chat'), protocol: 'superchat' },
  },
  {
    title: 'offered where none is spoken: none is chosen',
    section: 'RFC 6455 4.2.2',
    role: 'server',
    request: list('chat'),
  },
]

const refusedOffers: readonly (readonly [offer: string, section: string])[] = [
  ['permessage-deflate; unknown', '7.1'],
  ['permessage-deflate; unknown=1', '7.1'],
  ['permessage-deflate; server_no_context_takeover=1', '7.1.1.1'],
  ['permessage-deflate; client_no_context_takeover=true', '7.1.1.2'],
  ['permessage-deflate; server_no_context_takeover; server_no_context_takeover', '7.1'],
  ['permessage-deflate; client_no_context_takeover; client_no_context_takeover', '7.1'],
  ['permessage-deflate; server_max_window_bits', '7.1.2.1'],
  ['permessage-deflate; server_max_window_bits=10; server_max_window_bits=10', '7.1'],
  ['permessage-deflate; client_max_window_bits; client_max_window_bits=10', '7.1'],
  ...[
    '7',
    '16',
    '0',
    '-9',
    '08',
    '010',
    '9.0',
    '1e1',
    '0x9',
    'ten',
    '+10',
    '150',
    '99999999999',
  ].flatMap((value): readonly (readonly [string, string])[] => [
    [`permessage-deflate; server_max_window_bits=${value}`, '7.1.2.1'],
    [`permessage-deflate; client_max_window_bits=${value}`, '7.1.2.2'],
  ]),
  ['permessage-deflate; __proto__', '7.1'],
  ['permessage-deflate; __proto__=1', '7.1'],
  ['permessage-deflate; constructor', '7.1'],
  ['permessage-deflate; Server_No_Context_Takeover', '7.1'],
  ['constructor', '7.1'],
  ['__proto__; __proto__=1', '7.1'],
  ['toString', '7.1'],
  ['x-webkit-deflate-frame', '7.1'],
  ['permessage-bzip2', '7.1'],
  ['permessage-deflates', '7.1'],
]

const acceptedOffers: readonly (readonly [
  offer: string | readonly string[],
  section: string,
  extension: Request['extension'],
])[] = [
  ['permessage-deflate', '7.1', 'deflate'],
  ['permessage-deflate; client_max_window_bits', '7.1.2.2', 'deflate'],
  ['permessage-deflate;client_no_context_takeover', '7.1.1.2', 'deflate'],
  ['permessage-deflate; server_no_context_takeover', '7.1.1.1', ['server_no_context_takeover']],
  [
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    '7.1.1',
    ['server_no_context_takeover'],
  ],
  ['permessage-deflate; client_max_window_bits="10"', '7.1', 'deflate'],
  ['permessage-deflate; server_max_window_bits="12"', '7.1', [/^server_max_window_bits=/]],
  [' permessage-deflate ; server_max_window_bits = 12 ', '7.1', [/^server_max_window_bits=/]],
  ...[9, 10, 11, 12, 13, 14, 15].flatMap(
    (bits): readonly (readonly [string, string, Request['extension']])[] => [
      [
        `permessage-deflate; server_max_window_bits=${bits}`,
        '7.1.2.1',
        [/^server_max_window_bits=/],
      ],
      [`permessage-deflate; client_max_window_bits=${bits}`, '7.1.2.2', 'deflate'],
    ],
  ),
  [
    'permessage-deflate; server_max_window_bits=10; client_max_window_bits=11; server_no_context_takeover; client_no_context_takeover',
    '7.1',
    ['server_no_context_takeover', /^server_max_window_bits=(9|10)$/],
  ],
  ['unknown, permessage-deflate', '7.1', 'deflate'],
  ['unknown; a=b; c, permessage-deflate, other', '7.1', 'deflate'],
  ['permessage-deflate; server_max_window_bits=7, permessage-deflate', '7.1', 'deflate'],
  ['permessage-deflate; unknown, permessage-deflate; client_max_window_bits', '7.1', 'deflate'],
  ['permessage-deflate, permessage-deflate', '7.1', 'deflate'],
  [['unknown', 'permessage-deflate'], '7.1', 'deflate'],
  [['permessage-deflate; unknown', 'permessage-deflate'], '7.1', 'deflate'],
  ['unknown; a="quoted"; b, permessage-deflate', '7.1', 'deflate'],
]

/** 8 cannot be had from zlib: not to agree is right as well. */
const either = [
  'permessage-deflate; server_max_window_bits=8',
  'permessage-deflate; client_max_window_bits=8',
]

const notWellFormed = [
  '',
  ',',
  ',;constructor',
  'permessage-deflate;',
  'permessage-deflate; =1',
  'permessage-deflate; client_max_window_bits=',
  'permessage-deflate; client_max_window_bits="10',
  'permessage-deflate; client_max_window_bits=10"',
  'permessage-deflate client_max_window_bits',
  'permessage-deflate; client_max_window_bits=10 11',
  'permessage deflate',
  '"permessage-deflate"',
  'permessage-deflate; client_max_window_bits=""',
  '; permessage-deflate',
  '=',
]

const offered = (offer: string | readonly string[]): Request => ({
  headers: (typeof offer === 'string' ? [offer] : offer).map((value) => [E, value] as const),
})

const shown = (offer: string | readonly string[]): string =>
  typeof offer === 'string' ? `'${offer.trim()}'` : offer.map((one) => `'${one}'`).join(' and ')

const extensions: readonly Case[] = [
  ...refusedOffers.map(([offer, section]): Case => ({
    title: `offer ${shown(offer)}: declined, and nothing else is wrong`,
    section: `RFC 7692 ${section}`,
    role: 'server',
    request: { ...offered(offer), extension: 'none' },
  })),
  ...acceptedOffers.map(([offer, section, extension]): Case => ({
    title: `offer ${shown(offer)}: accepted`,
    section: `RFC 7692 ${section}`,
    role: 'server',
    request: { ...offered(offer), ...(extension === undefined ? {} : { extension }) },
  })),
  ...either.map((offer): Case => ({
    title: `offer ${shown(offer)}: declined, or accepted with a right answer`,
    section: 'RFC 7692 7.1.2',
    role: 'server',
    request: { ...offered(offer), extension: 'either' },
  })),
  ...notWellFormed.map((offer): Case => ({
    title: `offer ${shown(offer)}, not well formed: 101 without an extension, or 400`,
    section: 'RFC 6455 9.1',
    role: 'server',
    request: { ...offered(offer), extension: 'none', or400: true },
  })),
  ...(['plain', 'limited'] as const).map((profile): Case => ({
    title: `permessage-deflate offered to a server ${profile === 'plain' ? 'without it' : 'with limits'}`,
    section: 'RFC 6455 9.1',
    role: 'server',
    profile,
    request: {
      ...offered('permessage-deflate'),
      extension: profile === 'plain' ? 'none' : 'deflate',
    },
  })),
  {
    title: 'settings of the server: it takes nothing over, and asks for the same',
    section: 'RFC 7692 7.1.1',
    role: 'server',
    profile: 'noTakeover',
    request: {
      ...offered('permessage-deflate; client_max_window_bits'),
      extension: ['server_no_context_takeover', 'client_no_context_takeover'],
    },
  },
  {
    title: 'settings of the server: windows of 10 and 11 bits',
    section: 'RFC 7692 7.1.2',
    role: 'server',
    profile: 'smallWindows',
    request: {
      ...offered('permessage-deflate; client_max_window_bits'),
      extension: ['server_max_window_bits=10', 'client_max_window_bits=11'],
    },
  },
  {
    title: 'settings of the server: the smaller window of two is agreed on',
    section: 'RFC 7692 7.1.2',
    role: 'server',
    profile: 'smallWindows',
    request: {
      ...offered('permessage-deflate; client_max_window_bits=9; server_max_window_bits=9'),
      extension: ['server_max_window_bits=9', 'client_max_window_bits=9'],
    },
  },
]

type OriginRow = readonly [
  origin: string | readonly string[] | undefined,
  profile: Profile,
  isIn: boolean,
]

/** `origins` lets in https://app.example.com and http://localhost:5173; `sameHost` has the default. */
const originTable: readonly OriginRow[] = [
  [undefined, 'sameHost', true],
  ['http://{host}', 'sameHost', true],
  ['https://{host}', 'sameHost', true],
  ['http://evil.example.com', 'sameHost', false],
  ['null', 'sameHost', false],
  ['', 'sameHost', false],
  ['http://{host}.evil.example.com', 'sameHost', false],
  ['http://evil.example.com#{host}', 'sameHost', false],
  ['{host}', 'sameHost', false],
  [undefined, 'origins', true],
  ['https://app.example.com', 'origins', true],
  ['http://localhost:5173', 'origins', true],
  ['http://app.example.com', 'origins', false],
  ['https://app.example.com:8443', 'origins', false],
  ['https://app.example.com.evil.example.com', 'origins', false],
  ['https://evil.example.com/https://app.example.com', 'origins', false],
  ['https://sub.app.example.com', 'origins', false],
  ['http://localhost', 'origins', false],
  ['http://{host}', 'origins', false],
  ['null', 'origins', false],
  ['http://evil.example.com', 'anyOrigin', true],
  ['null', 'anyOrigin', true],
]

const origins: readonly Case[] = originTable.map(([origin, profile, isIn]): Case => {
  const list = origin === undefined ? [] : typeof origin === 'string' ? [origin] : origin
  const rule = { sameHost: 'its own host', origins: 'a list', anyOrigin: 'any' }[
    profile as 'origins'
  ]
  return {
    title: `${origin === undefined ? 'no Origin' : `Origin '${list.join()}'`} where ${rule} is let in`,
    section: 'RFC 6455 10.2',
    role: 'server',
    profile,
    request: { headers: list.map((value) => ['Origin', value] as const) },
    ...(isIn ? {} : { end: refused(403) }),
  }
})

/** A browser sends cookies with the WebSocket of any page, and always its Origin. */
const cookies: readonly Case[] = [
  {
    title: 'cookies from a page of its own host',
    section: 'threats H5',
    role: 'server',
    profile: 'sameHost',
    request: {
      headers: [
        ['Origin', 'http://{host}'],
        ['Cookie', 'a=b; c=d'],
      ],
    },
  },
  {
    title: 'cookies without an Origin',
    section: 'threats H5',
    role: 'server',
    profile: 'sameHost',
    request: { headers: [['Cookie', 'a=b; c=d']] },
    end: refused(403),
  },
  {
    title: 'cookies without an Origin where any is let in',
    section: 'threats H5',
    role: 'server',
    profile: 'anyOrigin',
    request: { headers: [['Cookie', 'a=b; c=d']] },
  },
]

export const negotiationServer: readonly Family[] = [
  { name: 'subprotocol', cases: protocols },
  { name: 'extension', cases: extensions },
  { name: 'origin', cases: [...origins, ...cookies] },
]
