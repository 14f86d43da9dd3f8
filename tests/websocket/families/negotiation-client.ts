// Subprotocols and extensions as a client offers them and has them chosen (RFC 6455, section 4.1; RFC
// 7692, section 7.1).

import { rejected, type Case, type Family, type ParsedRequest } from '../case.ts'
import { rows, twice, with1, type Row } from './client-rows.ts'

const protocol = 'Sec-WebSocket-Protocol'
const protocols: readonly Case[] = [
  ...rows(false, [
    ['a subprotocol that nobody asked for', 'RFC 6455 4.1', with1(protocol, 'chat')],
    ['an empty subprotocol that nobody asked for', 'RFC 6455 4.1', with1(protocol, '')],
  ]),
  ...rows(
    false,
    [
      'unknown',
      'CHAT',
      'chat, superchat',
      'chat superchat',
      'chat,',
      '',
      '__proto__',
      'cha',
      'chatt',
    ].map((value): Row => [
      `subprotocol '${value}', asked for chat or superchat`,
      'RFC 6455 4.1',
      with1(protocol, value),
    ]),
    'subprotocols',
  ),
  ...rows(
    false,
    [
      ['two subprotocol headers', 'RFC 6455 11.3.4', twice(protocol, 'chat', 'superchat')],
      ['the same subprotocol twice', 'RFC 6455 11.3.4', twice(protocol, 'chat')],
    ],
    'subprotocols',
  ),
  ...rows(
    true,
    [
      ['the first subprotocol', 'RFC 6455 4.1', { ...with1(protocol, 'chat'), protocol: 'chat' }],
      [
        'the second subprotocol',
        'RFC 6455 4.1',
        { ...with1(protocol, 'superchat'), protocol: 'superchat' },
      ],
      [
        'a subprotocol among spaces',
        'RFC 9110 5.5',
        { ...with1(protocol, ' chat\t'), protocol: 'chat' },
      ],
      ['no subprotocol, though asked for', 'RFC 6455 4.1', { protocol: '' }],
    ],
    'subprotocols',
  ),
]

const extension = 'Sec-WebSocket-Extensions'
const badExtensions: readonly (readonly [value: string, section: string])[] = [
  ['x-unknown', 'RFC 6455 4.1'],
  ['permessage-bzip2', 'RFC 6455 4.1'],
  ['permessage-deflate, permessage-deflate', 'RFC 7692 7.1'],
  ['permessage-deflate, x-unknown', 'RFC 6455 4.1'],
  ['permessage-deflate; unknown', 'RFC 7692 7.1'],
  ['permessage-deflate; server_no_context_takeover=1', 'RFC 7692 7.1.1.1'],
  ['permessage-deflate; client_no_context_takeover=1', 'RFC 7692 7.1.1.2'],
  ['permessage-deflate; server_no_context_takeover; server_no_context_takeover', 'RFC 7692 7.1'],
  ['permessage-deflate; client_no_context_takeover; client_no_context_takeover', 'RFC 7692 7.1'],
  ['permessage-deflate; server_max_window_bits', 'RFC 7692 7.1.2.1'],
  ['permessage-deflate; client_max_window_bits', 'RFC 7692 7.1.2.2'],
  ['permessage-deflate; server_max_window_bits=10; server_max_window_bits=10', 'RFC 7692 7.1'],
  ...['7', '16', '0', '-9', '08', '9.0', '0x9', 'ten', '+10', '150'].flatMap(
    (bits): readonly (readonly [string, string])[] => [
      [`permessage-deflate; server_max_window_bits=${bits}`, 'RFC 7692 7.1.2.1'],
      [`permessage-deflate; client_max_window_bits=${bits}`, 'RFC 7692 7.1.2.2'],
    ],
  ),
  ['permessage-deflate;', 'RFC 6455 9.1'],
  ['permessage-deflate; =1', 'RFC 6455 9.1'],
  ['permessage-deflate; server_max_window_bits="10', 'RFC 6455 9.1'],
  ['permessage-deflate; __proto__', 'RFC 7692 7.1'],
  ['constructor', 'RFC 6455 4.1'],
  ['permessage-deflate server_no_context_takeover', 'RFC 6455 9.1'],
]

const extensions: readonly Case[] = [
  ...rows(
    false,
    badExtensions.map(([value, section]): Row => [
      `extension '${value}'`,
      section,
      with1(extension, value),
    ]),
  ),
  ...rows(false, [
    ['permessage-deflate in two headers', 'RFC 7692 7.1', twice(extension, 'permessage-deflate')],
  ]),
  ...rows(
    false,
    ['permessage-deflate', 'permessage-deflate; server_no_context_takeover', 'x-unknown'].map(
      (value): Row => [
        `extension '${value}' that nobody asked for`,
        'RFC 6455 4.1',
        with1(extension, value),
      ],
    ),
    'plain',
  ),
  ...rows(
    true,
    [
      'permessage-deflate',
      'permessage-deflate; server_no_context_takeover',
      'permessage-deflate; client_no_context_takeover',
      'permessage-deflate; client_no_context_takeover; server_no_context_takeover',
      'permessage-deflate; server_max_window_bits=9',
      'permessage-deflate; server_max_window_bits=15',
      'permessage-deflate; server_max_window_bits="10"',
      ' permessage-deflate ; server_max_window_bits = 10 ',
    ].map((value): Row => [
      `extension '${value.trim()}'${value === value.trim() ? '' : ' among spaces'}`,
      'RFC 7692 7.1',
      with1(extension, value),
    ]),
  ),
  {
    title: 'the offer of a client without permessage-deflate: none',
    section: 'RFC 6455 9.1',
    role: 'client',
    profile: 'plain',
    answer: {
      request: ({ all }) => (all('sec-websocket-extensions').length === 0 ? undefined : 'an offer'),
    },
  },
  {
    title: 'the offer of a client with permessage-deflate',
    section: 'RFC 7692 7.1',
    role: 'client',
    answer: { request: offers(/^permessage-deflate\b/) },
  },
  {
    title: 'settings of the client: nothing is taken over',
    section: 'RFC 7692 7.1.1',
    role: 'client',
    profile: 'noTakeover',
    answer: {
      request: offers(
        /; *server_no_context_takeover\b.*client_no_context_takeover\b|; *client_no_context_takeover\b.*server_no_context_takeover\b/,
      ),
      headers: [
        [extension, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
      ],
    },
  },
  {
    title: 'settings of the client: the server does not promise to take nothing over',
    section: 'RFC 7692 7.1.1.1',
    role: 'client',
    profile: 'noTakeover',
    answer: { headers: [[extension, 'permessage-deflate']] },
    end: rejected,
  },
  {
    title: 'settings of the client: windows of 10 and 11 bits',
    section: 'RFC 7692 7.1.2',
    role: 'client',
    profile: 'smallWindows',
    answer: {
      request: offers(/server_max_window_bits=10\b/),
      headers: [
        [extension, 'permessage-deflate; server_max_window_bits=10; client_max_window_bits=11'],
      ],
    },
  },
  {
    title: 'settings of the client: the server chooses a larger window than it may',
    section: 'RFC 7692 7.1.2.1',
    role: 'client',
    profile: 'smallWindows',
    answer: { headers: [[extension, 'permessage-deflate; server_max_window_bits=11']] },
    end: rejected,
  },
  {
    title: 'settings of the client: the server says nothing of its window',
    section: 'RFC 7692 7.1.2.1',
    role: 'client',
    profile: 'smallWindows',
    answer: { headers: [[extension, 'permessage-deflate']] },
    end: rejected,
  },
]

function offers(pattern: RegExp): (request: ParsedRequest) => string | undefined {
  return ({ all }) => {
    const offer = all('sec-websocket-extensions').join()
    return pattern.test(offer) ? undefined : `it offers '${offer}'`
  }
}

export const negotiationClient: readonly Family[] = [
  { name: 'subprotocol', cases: protocols },
  { name: 'extension', cases: extensions },
]
