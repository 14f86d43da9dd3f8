// What a client asks for, and which answers it takes (RFC 6455, section 4.1).

import {
  binary,
  closes,
  counting,
  gotBinary,
  gotPong,
  gotText,
  next,
  ping,
  text,
  type Answer,
  type Case,
  type Family,
  type Header,
} from '../case.ts'
import { rows, twice, with1, type Row } from './client-rows.ts'

const plain = (status: string, more: readonly Header[] = []): Answer => ({
  status: `HTTP/1.1 ${status}`,
  headers: [
    ['Upgrade', undefined],
    ['Connection', 'close'],
    ['Sec-WebSocket-Accept', undefined],
    ['Content-Length', '3'],
    ...more,
  ],
  body: Buffer.from('no\n'),
})

const statuses: readonly Case[] = [
  ...rows(false, [
    ...[
      '200 OK',
      '201 Created',
      '400 Bad Request',
      '403 Forbidden',
      '404 Not Found',
      '426 Upgrade Required',
      '429 Too Many Requests',
      '500 Internal Server Error',
      '502 Bad Gateway',
      '503 Service Unavailable',
    ].map((status): Row => [status, 'RFC 6455 4.1', plain(status)]),
    ...[
      '301 Moved Permanently',
      '302 Found',
      '303 See Other',
      '307 Temporary Redirect',
      '308 Permanent Redirect',
    ].map((status): Row => [
      `${status}, which is not followed`,
      'RFC 6455 4.1',
      plain(status, [['Location', '/elsewhere']]),
    ]),
    [
      '401, which is not answered',
      'RFC 6455 4.1',
      plain('401 Unauthorized', [['WWW-Authenticate', 'Basic realm="x"']]),
    ],
    [
      '407, which is not answered',
      'RFC 6455 4.1',
      plain('407 Proxy Authentication Required', [['Proxy-Authenticate', 'Basic realm="x"']]),
    ],
    ['200 with all the headers of an upgrade', 'RFC 6455 4.1', { status: 'HTTP/1.1 200 OK' }],
    [
      '204 with all the headers of an upgrade',
      'RFC 6455 4.1',
      { status: 'HTTP/1.1 204 No Content' },
    ],
    ['HTTP/1.0 101', 'RFC 6455 4.1', { status: 'HTTP/1.0 101 Switching Protocols' }],
    ['HTTP/2.0 101', 'RFC 6455 4.1', { status: 'HTTP/2.0 101 Switching Protocols' }],
    ['HTTP/0.9 101', 'RFC 6455 4.1', { status: 'HTTP/0.9 101 Switching Protocols' }],
    ['status 1010', 'RFC 9112 4', { status: 'HTTP/1.1 1010 Switching' }],
    ['status 10', 'RFC 9112 4', { status: 'HTTP/1.1 10 Switching' }],
    ['no status', 'RFC 9112 4', { status: 'HTTP/1.1' }],
    ['status line of another protocol', 'RFC 9112 4', { status: 'ICY 101 Switching Protocols' }],
    ['bytes that are no HTTP', 'RFC 9112 2', { raw: '\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n' }],
    ['a WebSocket frame instead of an answer', 'RFC 6455 4.1', { raw: '\x81\x02hi\r\n\r\n' }],
    ['the end of the connection instead of an answer', 'RFC 6455 4.1', { raw: '', ends: true }],
    ['the end inside the status line', 'RFC 6455 4.1', { raw: 'HTTP/1.1 101 Swi', ends: true }],
    [
      'the end inside the headers',
      'RFC 6455 4.1',
      { raw: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n', ends: true },
    ],
  ]),
  ...rows(true, [
    [
      '101 with another reason',
      'RFC 9112 4',
      { status: 'HTTP/1.1 101 Web Socket Protocol Handshake' },
    ],
    ['101 with an empty reason', 'RFC 9112 4', { status: 'HTTP/1.1 101 ' }],
  ]),
]

const upgrades: readonly Case[] = [
  ...rows(false, [
    ['no Upgrade', 'RFC 6455 4.1', with1('Upgrade', undefined)],
    ['an empty Upgrade', 'RFC 6455 4.1', with1('Upgrade', '')],
    ['Upgrade: h2c', 'RFC 6455 4.1', with1('Upgrade', 'h2c')],
    ['Upgrade: websockets', 'RFC 6455 4.1', with1('Upgrade', 'websockets')],
    ['Upgrade: "websocket"', 'RFC 6455 4.1', with1('Upgrade', '"websocket"')],
    ['Upgrade: web socket', 'RFC 6455 4.1', with1('Upgrade', 'web socket')],
    ['Upgrade: websocket, h2c', 'RFC 6455 4.1', with1('Upgrade', 'websocket, h2c')],
    ['Upgrade: h2c, websocket', 'RFC 6455 4.1', with1('Upgrade', 'h2c, websocket')],
    ['two Upgrade headers', 'RFC 6455 4.1', twice('Upgrade', 'websocket', 'h2c')],
    ['no Connection', 'RFC 6455 4.1', with1('Connection', undefined)],
    ['an empty Connection', 'RFC 6455 4.1', with1('Connection', '')],
    ['Connection: keep-alive', 'RFC 6455 4.1', with1('Connection', 'keep-alive')],
    ['Connection: close', 'RFC 6455 4.1', with1('Connection', 'close')],
    ['Connection: upgraded', 'RFC 6455 4.1', with1('Connection', 'upgraded')],
  ]),
  ...rows(true, [
    ['Upgrade: WebSocket', 'RFC 6455 4.1', with1('Upgrade', 'WebSocket')],
    ['Upgrade: WEBSOCKET', 'RFC 6455 4.1', with1('Upgrade', 'WEBSOCKET')],
    ['Connection: upgrade', 'RFC 6455 4.1', with1('Connection', 'upgrade')],
    ['Connection: UPGRADE', 'RFC 6455 4.1', with1('Connection', 'UPGRADE')],
    ['Connection: keep-alive, Upgrade', 'RFC 6455 4.1', with1('Connection', 'keep-alive, Upgrade')],
    [
      'all names in small letters',
      'RFC 9110 5.1',
      {
        raw: 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n',
      },
    ],
    [
      'capitals, no spaces, another order',
      'RFC 9110 5.1',
      {
        raw: 'HTTP/1.1 101 Switching Protocols\r\nSEC-WEBSOCKET-ACCEPT:{accept}\r\nCONNECTION:Upgrade\r\nUPGRADE:websocket\r\n\r\n',
      },
    ],
    [
      'spaces and tabs around values',
      'RFC 9110 5.5',
      {
        headers: [
          ['Upgrade', ' \twebsocket\t '],
          ['Connection', '\tUpgrade '],
          ['Sec-WebSocket-Accept', '\t{accept} '],
        ],
      },
    ],
    [
      'headers that nobody knows',
      'RFC 6455 4.1',
      {
        headers: [
          ['Server', 'x'],
          ['Set-Cookie', 'a=b'],
          ['Date', 'now'],
          ['__proto__', 'x'],
          ['constructor', 'y'],
        ],
      },
    ],
    [
      '100 headers that nobody knows',
      'RFC 6455 4.1',
      { headers: Array.from({ length: 100 }, (_, at): Header => [`X-${at}`, 'v']) },
    ],
  ]),
]

const accept = 'Sec-WebSocket-Accept'
const accepts: readonly Case[] = [
  ...rows(false, [
    ['no Accept', 'RFC 6455 4.1', with1(accept, undefined)],
    ['an empty Accept', 'RFC 6455 4.1', with1(accept, '')],
    ['the Accept of the example', 'RFC 6455 4.1', with1(accept, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')],
    ['the key itself as Accept', 'RFC 6455 4.1', with1(accept, '{key}')],
    ['Accept with something behind it', 'RFC 6455 4.1', with1(accept, '{accept}x')],
    ['Accept with something in front of it', 'RFC 6455 4.1', with1(accept, 'x{accept}')],
    ['Accept in quotes', 'RFC 6455 4.1', with1(accept, '"{accept}"')],
    ['Accept twice in one header', 'RFC 6455 11.3.3', with1(accept, '{accept}, {accept}')],
    ['two Accept headers', 'RFC 6455 11.3.3', twice(accept, '{accept}')],
    ['two Accept headers, the first one right', 'RFC 6455 11.3.3', twice(accept, '{accept}', 'x')],
    ['two Accept headers, the second one right', 'RFC 6455 11.3.3', twice(accept, 'x', '{accept}')],
  ]),
]

const large: readonly Case[] = [
  ...rows(false, [
    ['a header of 128 KiB', 'RFC 6455 10.6', with1('X-Filler', 'x'.repeat(131_072))],
    [
      '5,000 headers',
      'RFC 6455 10.6',
      { headers: Array.from({ length: 5_000 }, (_, at): Header => [`X-${at}`, 'v'.repeat(20)]) },
    ],
    ['a NUL in a value', 'RFC 9110 5.5', with1('X-Odd', 'a\0b')],
    [
      'a header without a colon',
      'RFC 9112 5',
      { raw: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade\r\n\r\n' },
    ],
    ['a space in front of a colon', 'RFC 9112 5.1', { headers: [['X-Odd ', 'a\x01']] }],
  ]),
  ...rows(true, [
    [
      'headers of 6 KiB',
      'RFC 6455 10.6',
      { headers: Array.from({ length: 6 }, (_, at): Header => [`X-${at}`, 'v'.repeat(1_000)]) },
    ],
  ]),
]

const withFrames: readonly Case[] = [
  {
    title: 'a message in the same write as the answer',
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: { withFrames: true },
    exchange: [{ send: [text('early')], expect: [gotText('early')] }],
  },
  {
    title: 'a ping, a message in fragments and another in the same write as the answer',
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: { withFrames: true },
    exchange: [
      {
        send: [ping('p'), text('a', { fin: false }), next('b'), binary(counting(300))],
        expect: [gotPong('p'), gotText('ab'), gotBinary(counting(300))],
      },
    ],
  },
  {
    title: 'half a frame in the same write as the answer',
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: { withFrames: true },
    exchange: [
      { send: [Uint8Array.of(0x89)], expect: [] },
      { send: [Uint8Array.of(0)], expect: [gotPong()] },
    ],
  },
  {
    title: 'a frame that breaks the rules in the same write as the answer',
    section: 'RFC 6455 5.1',
    role: 'client',
    answer: { withFrames: true },
    exchange: [{ send: [text('a', { masked: true })], expect: [] }],
    end: closes(1002),
  },
  {
    title: '65,536 bytes in the same write as the answer',
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: { withFrames: true },
    exchange: [{ send: [binary(counting(65_536))], expect: [gotBinary(counting(65_536))] }],
  },
]

/** Of all connections of a run: a key that repeats is no key. */
const seenKeys = new Set<string>()

const requests: readonly Case[] = [
  {
    title: 'Origin is not sent by what is no browser',
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: { request: ({ all }) => (all('origin').length === 0 ? undefined : 'an Origin') },
  },
  {
    title: 'the Host has the port',
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: {
      request: ({ all }) =>
        /^127\.0\.0\.1:\d+$/.test(all('host')[0]!) ? undefined : `Host is '${all('host')[0]}'`,
    },
  },
  {
    title: 'no body is announced',
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: {
      request: ({ all }) =>
        all('content-length').length + all('transfer-encoding').length === 0 ? undefined : 'a body',
    },
  },
  {
    title: 'no subprotocol is asked for unless told to',
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: {
      request: ({ all }) =>
        all('sec-websocket-protocol').length === 0 ? undefined : 'a subprotocol',
    },
  },
  {
    title: 'subprotocols are asked for in order, in one header',
    section: 'RFC 6455 4.1',
    role: 'client',
    profile: 'subprotocols',
    answer: {
      request: ({ all }) => {
        const asked = all('sec-websocket-protocol')
        return asked.length === 1 && /^chat, ?superchat, ?v2\.example\.com$/.test(asked[0]!)
          ? undefined
          : `it asks for '${asked.join(' and ')}'`
      },
    },
  },
  ...[1, 2, 3].map((nth): Case => ({
    title: `a fresh key, connection ${nth}`,
    section: 'RFC 6455 4.1',
    role: 'client',
    answer: {
      request: ({ all }) => {
        const key = all('sec-websocket-key')[0]!
        if (seenKeys.has(key)) return 'a key used before'
        seenKeys.add(key)
        return Buffer.from(key, 'base64').length === 16 ? undefined : 'a key that is not 16 bytes'
      },
    },
  })),
]

export const handshakeClient: readonly Family[] = [
  { name: 'request', cases: requests },
  { name: 'status', cases: statuses },
  { name: 'upgrade', cases: upgrades },
  { name: 'accept', cases: accepts },
  { name: 'headers', cases: large },
  { name: 'head', cases: withFrames },
]
