// What a server accepts as an opening handshake, and how it refuses the rest (RFC 6455, section 4.2).

import {
  closes,
  counting,
  gotBinary,
  gotPong,
  gotText,
  binary,
  next,
  ping,
  refused,
  text,
  type Case,
  type End,
  type Family,
  type Header,
  type Request,
} from '../case.ts'

type Row = readonly [title: string, section: string, request: Request]

const upgrade426: End = { kind: 'refused', status: [400, 426] }
const version426: End = {
  kind: 'refused',
  status: [426],
  headers: [['sec-websocket-version', /\b13\b/]],
}
const only405: End = { kind: 'refused', status: [405], headers: [['allow', /\bGET\b/]] }

function rows(end: End | undefined, table: readonly Row[]): readonly Case[] {
  return table.map(([title, section, request]) => ({
    title,
    section,
    role: 'server',
    request,
    ...(end === undefined ? {} : { end }),
  }))
}

const with1 = (name: string, value: string | undefined): Request => ({ headers: [[name, value]] })
const twice = (name: string, one: string, other = one): Request => ({
  headers: [
    [name, one],
    [name, other],
  ],
})

const requestLine: readonly Case[] = [
  ...rows(
    only405,
    ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD'].map((method): Row => [
      `method ${method}`,
      'RFC 6455 4.2.1',
      { method },
    ]),
  ),
  ...rows(refused(400, 405, 505), [
    ['method get, in small letters', 'RFC 6455 4.2.1', { method: 'get' }],
    ['HTTP/1.0', 'RFC 6455 4.2.1', { version: 'HTTP/1.0' }],
    ['HTTP/0.9', 'RFC 6455 4.2.1', { version: 'HTTP/0.9' }],
    ['HTTP/2.0', 'RFC 6455 4.2.1', { version: 'HTTP/2.0' }],
    ['HTTP/1.1 in small letters', 'RFC 6455 4.2.1', { version: 'http/1.1' }],
    ['a request line without a version', 'RFC 6455 4.2.1', { version: '' }],
    ['a request line with a fourth word', 'RFC 6455 4.2.1', { version: 'HTTP/1.1 x' }],
  ]),
  ...rows(undefined, [
    ['a query', 'RFC 6455 4.1', { target: '/?a=b&c=d' }],
    ['a target of 2,000 bytes', 'RFC 6455 4.1', { target: `/?${'a'.repeat(2_000)}` }],
    ['the whole URL as target', 'RFC 6455 4.2.1', { target: 'http://{host}/' }],
  ]),
]

const host: readonly Case[] = [
  ...rows(refused(400), [
    ['no Host', 'RFC 6455 4.2.1', with1('Host', undefined)],
    ['two Host headers', 'RFC 9112 3.2', twice('Host', '{host}')],
    ['two Host headers that differ', 'RFC 9112 3.2', twice('Host', '{host}', 'example.com')],
  ]),
  ...rows(undefined, [
    ['a Host with another name', 'RFC 6455 4.2.1', with1('Host', 'example.com')],
    ['host in small letters', 'RFC 6455 4.2.1', { headers: [['host', '{host}']] }],
  ]),
]

const upgrade: readonly Case[] = [
  ...rows(upgrade426, [
    ['no Upgrade', 'RFC 6455 4.2.1', with1('Upgrade', undefined)],
    ['Upgrade: h2c', 'RFC 6455 4.2.1', with1('Upgrade', 'h2c')],
    ['Upgrade: websockets', 'RFC 6455 4.2.1', with1('Upgrade', 'websockets')],
    ['Upgrade: web socket', 'RFC 6455 4.2.1', with1('Upgrade', 'web socket')],
    ['Upgrade: "websocket"', 'RFC 6455 4.2.1', with1('Upgrade', '"websocket"')],
    ['an empty Upgrade', 'RFC 6455 4.2.1', with1('Upgrade', '')],
    ['no Connection', 'RFC 6455 4.2.1', with1('Connection', undefined)],
    ['Connection: keep-alive', 'RFC 6455 4.2.1', with1('Connection', 'keep-alive')],
    ['Connection: close', 'RFC 6455 4.2.1', with1('Connection', 'close')],
    ['Connection: upgraded', 'RFC 6455 4.2.1', with1('Connection', 'upgraded')],
    ['an empty Connection', 'RFC 6455 4.2.1', with1('Connection', '')],
  ]),
  ...rows(undefined, [
    ['Upgrade: WebSocket', 'RFC 6455 4.2.1', with1('Upgrade', 'WebSocket')],
    ['Upgrade: WEBSOCKET', 'RFC 6455 4.2.1', with1('Upgrade', 'WEBSOCKET')],
    ['Upgrade: h2c, websocket', 'RFC 9110 7.8', with1('Upgrade', 'h2c, websocket')],
    ['websocket in the second Upgrade', 'RFC 9110 5.3', twice('Upgrade', 'h2c', 'websocket')],
    ['Connection: upgrade', 'RFC 6455 4.2.1', with1('Connection', 'upgrade')],
    ['Connection: UPGRADE', 'RFC 6455 4.2.1', with1('Connection', 'UPGRADE')],
    [
      'Connection: keep-alive, Upgrade',
      'RFC 6455 4.2.1',
      with1('Connection', 'keep-alive, Upgrade'),
    ],
    ['Connection: Upgrade,keep-alive', 'RFC 6455 4.2.1', with1('Connection', 'Upgrade,keep-alive')],
    [
      'Upgrade in the second Connection',
      'RFC 9110 5.3',
      twice('Connection', 'keep-alive', 'Upgrade'),
    ],
    [
      'spaces and tabs around the tokens',
      'RFC 9110 5.6.1',
      {
        headers: [
          ['Upgrade', ' \t websocket \t '],
          ['Connection', ' , \tUpgrade ,, '],
        ],
      },
    ],
    [
      'all names in small letters',
      'RFC 9110 5.1',
      {
        raw: 'GET / HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n',
      },
    ],
    [
      'all names in capitals, in another order, without spaces',
      'RFC 9110 5.1',
      {
        raw: 'GET / HTTP/1.1\r\nSEC-WEBSOCKET-VERSION:13\r\nSEC-WEBSOCKET-KEY:dGhlIHNhbXBsZSBub25jZQ==\r\nCONNECTION:Upgrade\r\nUPGRADE:websocket\r\nHOST:{host}\r\n\r\n',
      },
    ],
  ]),
]

const version: readonly Case[] = [
  ...rows(version426, [
    ['no version', 'RFC 6455 4.2.2', with1('Sec-WebSocket-Version', undefined)],
    ...['0', '7', '8', '12', '14', '130', '013', '13.0', '13abc', '1 3', '', '13, 8', '-13'].map(
      (value): Row => [
        `version '${value}'`,
        'RFC 6455 4.2.2',
        with1('Sec-WebSocket-Version', value),
      ],
    ),
    ['version 13 twice', 'RFC 6455 11.3.5', twice('Sec-WebSocket-Version', '13')],
  ]),
  ...rows(undefined, [
    ['version 13 among spaces', 'RFC 9110 5.5', with1('Sec-WebSocket-Version', ' 13\t ')],
  ]),
]

const key = 'Sec-WebSocket-Key'
const keys: readonly Case[] = [
  ...rows(refused(400), [
    ['no key', 'RFC 6455 4.2.1', with1(key, undefined)],
    ['an empty key', 'RFC 6455 4.2.1', with1(key, '')],
    ['a key of 15 bytes', 'RFC 6455 4.2.1', with1(key, 'AAECAwQFBgcICQoLDA0O')],
    ['a key of 17 bytes', 'RFC 6455 4.2.1', with1(key, 'AAECAwQFBgcICQoLDA0ODxA=')],
    ['a key of 8 bytes', 'RFC 6455 4.2.1', with1(key, 'AAECAwQFBgc=')],
    ['a key of 32 bytes', 'RFC 6455 4.2.1', with1(key, 'A'.repeat(43) + '=')],
    ['a key without its padding', 'RFC 6455 4.2.1', with1(key, 'dGhlIHNhbXBsZSBub25jZQ')],
    ['a key with half its padding', 'RFC 6455 4.2.1', with1(key, 'dGhlIHNhbXBsZSBub25jZQ=')],
    ['a key with padding too much', 'RFC 6455 4.2.1', with1(key, 'dGhlIHNhbXBsZSBub25jZQ===')],
    ['a key in the alphabet of URLs', 'RFC 6455 4.2.1', with1(key, '_-_-_-_-_-_-_-_-_-_-_A==')],
    ['a key with a space inside', 'RFC 6455 4.2.1', with1(key, 'dGhlIHNhbXB ZSBub25jZQ==')],
    ['a key with something behind it', 'RFC 6455 4.2.1', with1(key, 'dGhlIHNhbXBsZSBub25jZQ==x')],
    [
      'a key with something in front of it',
      'RFC 6455 4.2.1',
      with1(key, 'xdGhlIHNhbXBsZSBub25jZQ=='),
    ],
    ['a key in quotes', 'RFC 6455 4.2.1', with1(key, '"dGhlIHNhbXBsZSBub25jZQ=="')],
    [
      'two keys',
      'RFC 6455 11.3.1',
      twice(key, 'dGhlIHNhbXBsZSBub25jZQ==', 'AAAAAAAAAAAAAAAAAAAAAA=='),
    ],
    ['the same key twice', 'RFC 6455 11.3.1', twice(key, 'dGhlIHNhbXBsZSBub25jZQ==')],
    [
      'two keys in one header',
      'RFC 6455 11.3.1',
      with1(key, 'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=='),
    ],
  ]),
  ...rows(undefined, [
    ['the key of the example', 'RFC 6455 1.3', with1(key, 'dGhlIHNhbXBsZSBub25jZQ==')],
    ['a key of 16 zeros', 'RFC 6455 4.2.2', with1(key, 'AAAAAAAAAAAAAAAAAAAAAA==')],
    ['a key of 16 times ff', 'RFC 6455 4.2.2', with1(key, '/////////////////////w==')],
    ['a key with + and /', 'RFC 6455 4.2.2', with1(key, '+/+/+/+/+/+/+/+/+/+/+Q==')],
    ['a key among spaces', 'RFC 9110 5.5', with1(key, '  dGhlIHNhbXBsZSBub25jZQ==  ')],
  ]),
]

const chunked: Request = {
  headers: [['Transfer-Encoding', 'chunked']],
  body: Buffer.from('5\r\nhello\r\n0\r\n\r\n'),
}

const bodies: readonly Case[] = [
  ...rows(refused(400, 413), [
    [
      'a body of 5 bytes',
      'RFC 6455 4.1',
      { headers: [['Content-Length', '5']], body: Buffer.from('hello') },
    ],
    ['a body announced, none sent', 'RFC 6455 4.1', with1('Content-Length', '5')],
    ['a body in chunks', 'RFC 6455 4.1', chunked],
    ['a Content-Length that is no number', 'RFC 9112 6.3', with1('Content-Length', 'five')],
  ]),
  ...rows(undefined, [['a Content-Length of 0', 'RFC 6455 4.1', with1('Content-Length', '0')]]),
]

const filler = (bytes: number): readonly Header[] =>
  Array.from({ length: Math.ceil(bytes / 1_000) }, (_, at): Header => [
    `X-Filler-${at}`,
    'x'.repeat(Math.min(980, bytes - at * 1_000)),
  ])

/** `node:http` drops headers beyond a count, in silence: what is missing then must be missed. */
const crowded = [
  'GET / HTTP/1.1',
  'Host: {host}',
  ...Array.from({ length: 2_000 }, (_, at) => `a${at % 10}: b`),
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13\r\n\r\n',
].join('\r\n')

const headers: readonly Case[] = [
  ...rows(refused(400, 431), [
    ['2,000 small headers in front of those that count', 'threats H1', { raw: crowded }],
    ['headers of 64 KiB', 'RFC 6455 10.6', { headers: filler(65_536) }],
    ['one header of 64 KiB', 'RFC 6455 10.6', with1('X-Filler', 'x'.repeat(65_536))],
    [
      'a header without a colon',
      'RFC 9112 5',
      { raw: 'GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade\r\n\r\n' },
    ],
    ['a space in front of a colon', 'RFC 9112 5.1', with1('X-Odd ', 'a')],
    ['a NUL in a value', 'RFC 9110 5.5', with1('X-Odd', 'a\0b')],
    ['a header that is folded', 'RFC 9112 5.2', with1('X-Odd', 'a\rb')],
    ['bytes that are no HTTP', 'RFC 6455 4.2.1', { raw: '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n' }],
  ]),
  ...rows(undefined, [
    ['headers of 6 KiB', 'RFC 6455 10.6', { headers: filler(6_000) }],
    [
      '100 headers that nobody knows',
      'RFC 6455 4.2.1',
      { headers: Array.from({ length: 100 }, (_, at): Header => [`X-H-${at}`, 'v']) },
    ],
    [
      'names of prototypes as headers',
      'threats H2',
      {
        headers: [
          ['__proto__', 'x'],
          ['constructor', 'y'],
          ['hasOwnProperty', 'z'],
        ],
      },
    ],
  ]),
]

const withFrames: readonly Case[] = [
  {
    title: 'a message in the same write as the request',
    section: 'RFC 6455 4.1',
    role: 'server',
    request: { withFrames: true },
    exchange: [{ send: [text('early')], expect: [gotText('early')] }],
  },
  {
    title: 'a ping, a message in fragments and another in the same write as the request',
    section: 'RFC 6455 4.1',
    role: 'server',
    request: { withFrames: true },
    exchange: [
      {
        send: [ping('p'), text('a', { fin: false }), next('b'), binary(counting(300))],
        expect: [gotPong('p'), gotText('ab'), gotBinary(counting(300))],
      },
    ],
  },
  {
    title: 'half a frame in the same write as the request',
    section: 'RFC 6455 4.1',
    role: 'server',
    request: { withFrames: true },
    exchange: [
      { send: [Uint8Array.of(0x89)], expect: [] },
      { send: [Uint8Array.of(0x80, 1, 2, 3, 4)], expect: [gotPong()] },
    ],
  },
  {
    title: 'a frame that breaks the rules in the same write as the request',
    section: 'RFC 6455 5.1',
    role: 'server',
    request: { withFrames: true },
    exchange: [{ send: [text('a', { masked: false })], expect: [] }],
    end: closes(1002),
  },
  {
    title: '65,536 bytes in the same write as the request',
    section: 'RFC 6455 4.1',
    role: 'server',
    request: { withFrames: true },
    exchange: [{ send: [binary(counting(65_536))], expect: [gotBinary(counting(65_536))] }],
  },
]

export const handshakeServer: readonly Family[] = [
  { name: 'request-line', cases: requestLine },
  { name: 'host', cases: host },
  { name: 'upgrade', cases: upgrade },
  { name: 'version', cases: version },
  { name: 'key', cases: keys },
  { name: 'body', cases: bodies },
  { name: 'headers', cases: headers },
  { name: 'head', cases: withFrames },
]
