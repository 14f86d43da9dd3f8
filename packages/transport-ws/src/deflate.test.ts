// permessage-deflate: what is agreed, what comes out, and what is refused.

import * as zlib from 'node:zlib'
import type { RawPeer } from '@callbox/testing/node'
import { describe, expect, test, vi } from 'vitest'
import {
  closeCodeOf,
  closePayload,
  connect,
  frame,
  serve,
  served,
  type Seen,
} from '../../../tests/raw-websocket.ts'
import { deflate, type DeflateOptions } from './deflate.ts'
import type { MessageCodec } from './extension.ts'
import { extensionsOf } from './header-list.ts'
import { WebSocketError } from './opcode.ts'

const parametersOf = (header: string) =>
  extensionsOf(`x; ${header}`.replace(/; $/, ''))![0]!.parameters

const all: readonly DeflateOptions[] = [
  {},
  { serverNoContextTakeover: true },
  { clientNoContextTakeover: true },
  { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
  { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
]

describe('what a server answers (RFC 7692, 7.1)', () => {
  const rows: readonly (readonly [
    offer: string,
    options: DeflateOptions,
    answer: string | null,
  ])[] = [
    ['', {}, ''],
    ['client_max_window_bits', {}, ''],
    ['client_max_window_bits', { clientMaxWindowBits: 10 }, 'client_max_window_bits=10'],
    ['client_max_window_bits=12', { clientMaxWindowBits: 10 }, 'client_max_window_bits=10'],
    ['client_max_window_bits=9', { clientMaxWindowBits: 10 }, 'client_max_window_bits=9'],
    ['client_max_window_bits=8', {}, 'client_max_window_bits=8'],
    // A client that does not know the parameter cannot be held to it.
    ['', { clientMaxWindowBits: 10 }, null],
    ['server_max_window_bits=10', {}, 'server_max_window_bits=10'],
    ['server_max_window_bits=15', {}, 'server_max_window_bits=15'],
    ['server_max_window_bits=12', { serverMaxWindowBits: 10 }, 'server_max_window_bits=10'],
    ['', { serverMaxWindowBits: 10 }, 'server_max_window_bits=10'],
    // zlib cannot.
    ['server_max_window_bits=8', {}, null],
    ['server_no_context_takeover', {}, 'server_no_context_takeover'],
    ['', { serverNoContextTakeover: true }, 'server_no_context_takeover'],
    ['client_no_context_takeover', {}, 'client_no_context_takeover'],
    ['', { clientNoContextTakeover: true }, 'client_no_context_takeover'],
    ['client_max_window_bits="10"', {}, 'client_max_window_bits=10'],
    // Malformed offers are declined, not answered with an error.
    ['server_max_window_bits', {}, null],
    ['server_max_window_bits=7', {}, null],
    ['server_max_window_bits=16', {}, null],
    ['server_max_window_bits=010', {}, null],
    ['client_max_window_bits=999', {}, null],
    ['client_max_window_bits=1e1', {}, null],
    ['server_no_context_takeover=1', {}, null],
    ['client_no_context_takeover=true', {}, null],
    ['server_no_context_takeover; server_no_context_takeover', {}, null],
    ['unknown', {}, null],
    ['__proto__=1', {}, null],
    ['constructor', {}, null],
  ]
  test.each(rows)('%s with %o: %s', (offer, options, answer) => {
    const agreed = deflate(options).accept(parametersOf(offer))
    const expected = answer === null ? undefined : ['permessage-deflate', answer].join('; ')
    expect(agreed?.value).toBe(expected?.replace(/; $/, ''))
  })

  test('the first offer that can be accepted', async () => {
    const { peer } = await served({ extensions: [deflate()] }, undefined, {
      'Sec-WebSocket-Extensions':
        'x-other, permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9',
    })
    expect(peer.http).toContain(
      'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n',
    )
  })
})

describe('what a client takes for an answer', () => {
  const rows: readonly (readonly [
    answer: string,
    options: DeflateOptions,
    fault: string | null,
  ])[] = [
    ['', {}, null],
    ['client_max_window_bits=8', {}, null],
    ['server_no_context_takeover; client_no_context_takeover', {}, null],
    ['server_max_window_bits=10', {}, null],
    ['server_max_window_bits=10', { serverMaxWindowBits: 10 }, null],
    ['', { serverMaxWindowBits: 10 }, 'server_max_window_bits'],
    ['server_max_window_bits=11', { serverMaxWindowBits: 10 }, 'server_max_window_bits'],
    ['client_max_window_bits=11', { clientMaxWindowBits: 10 }, 'client_max_window_bits'],
    ['client_max_window_bits', {}, 'client_max_window_bits'],
    ['', { serverNoContextTakeover: true }, 'server_no_context_takeover'],
    ['server_max_window_bits=7', {}, 'server_max_window_bits'],
    ['server_no_context_takeover=1', {}, 'takeover'],
    ['server_max_window_bits=9; server_max_window_bits=9', {}, 'twice'],
    ['other', {}, 'unknown'],
  ]
  test.each(rows)('%s with %o: %s', (answer, options, fault) => {
    const confirm = () => deflate(options).confirm(parametersOf(answer)).value
    if (fault !== null) expect(confirm).toThrow(fault)
    else expect(confirm()).toBe(['permessage-deflate', answer].join('; ').replace(/; $/, ''))
  })

  test('offers', () => {
    expect(all.map((options) => deflate(options).offer())).toEqual([
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; server_no_context_takeover; client_max_window_bits',
      'permessage-deflate; client_no_context_takeover; client_max_window_bits',
      'permessage-deflate; server_max_window_bits=9; client_max_window_bits=9',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits',
    ])
  })

  test('windows that zlib does not have, thresholds that are none', () => {
    for (const bits of [8, 16, 9.5, Number.NaN]) {
      expect(() => deflate({ serverMaxWindowBits: bits })).toThrow(RangeError)
      expect(() => deflate({ clientMaxWindowBits: bits })).toThrow(RangeError)
    }
    expect(() => deflate({ threshold: -1 })).toThrow(RangeError)
  })
})

describe('there and back', () => {
  const messages = [
    'a'.repeat(5_000),
    '',
    'small',
    new Uint8Array(70_000).fill(7),
    'ä😀'.repeat(3_000),
    Uint8Array.from({ length: 30_000 }, (_, index) => (index * index * 31) >>> 3),
    'a'.repeat(5_000),
    new Uint8Array(0),
  ]

  test.each(all)('with %o, in order', async (options) => {
    const { port } = await serve(
      { extensions: [deflate()] },
      (message, ws) => void ws.send(message),
    )
    const client = await connect(port, { extensions: [deflate(options)] })
    expect(client.ws.extensions).toContain('permessage-deflate')
    for (const message of messages) client.ws.send(message)
    client.ws.ping(Buffer.from('between'))
    await client.until(() => client.messages.length === messages.length)
    messages.forEach((message, at) =>
      expect(Buffer.from(message).equals(Buffer.from(client.messages[at]!))).toBe(true),
    )
    expect(client.pongs.map((one) => Buffer.from(one).toString())).toEqual(['between'])
    expect(client.ws.bufferedAmount).toBe(0)
    client.ws.send('z'.repeat(50_000))
    await client.ws.close(1000, 'done')
    expect(await client.closed).toEqual({ code: 1000, reason: '', wasClean: true })
  })

  test('what is sent before a close leaves before it, compressed or not', async () => {
    const { port, next } = await serve({ extensions: [deflate()] })
    const accepted = next()
    const client = await connect(port, { extensions: [deflate()] })
    const server = await accepted
    client.ws.send('z'.repeat(50_000))
    client.ws.send('small')
    const closed = client.ws.close()
    expect(client.ws.state).toBe('closing')
    expect(client.ws.send('late')).toBe(false)
    await closed
    expect(server.messages.map(({ length }) => length)).toEqual([50_000, 5])
  })

  test('nothing is negotiated with a side that did not ask', async () => {
    const { port } = await serve({ extensions: [deflate()] })
    expect((await connect(port)).ws.extensions).toBe('')
    const { port: plain } = await serve()
    expect((await connect(plain, { extensions: [deflate()] })).ws.extensions).toBe('')
  })

  test('with the window of 8 bits that a server asks for, a client sends everything as it is', () => {
    const codec = deflate().confirm(parametersOf('client_max_window_bits=8')).start()
    expect(codec.wants(1_000_000)).toBe(false)
    codec.close()
  })
})

/** A raw peer against a server with compression. */
async function compressed(
  options: { maxMessage?: number; deflate?: DeflateOptions } = {},
): Promise<{ peer: RawPeer; seen: Seen }> {
  const { maxMessage, deflate: own } = options
  return served({ extensions: [deflate(own)], maxMessage }, undefined, {
    'Sec-WebSocket-Extensions': 'permessage-deflate',
  })
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const rsv1 = { rsv: 0x40 }

/** What a peer with zlib would send. */
function deflated(message: string | Uint8Array, windowBits = 15): Buffer {
  const flushed = zlib.deflateRawSync(message, {
    windowBits,
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
  })
  return flushed.subarray(0, -4)
}

describe('the samples of RFC 7692, 7.2.3', () => {
  test.each([
    ['one block', ['f2 48 cd c9 c9 07 00'], ['Hello']],
    ['sharing a window', ['f2 48 cd c9 c9 07 00', 'f2 00 11 00 00'], ['Hello', 'Hello']],
    ['a block without compression', ['00 05 00 fa ff 48 65 6c 6c 6f 00'], ['Hello']],
    ['a final block', ['f3 48 cd c9 c9 07 00 00'], ['Hello']],
    ['two blocks', ['f2 48 05 00 00 00 ff ff ca c9 c9 07 00'], ['Hello']],
    ['an empty message', ['00'], ['']],
    ['one without its byte', ['', 'f2 48 cd c9 c9 07 00'], ['', 'Hello']],
    // The window is kept as far as the message reached that ended the stream.
    [
      'after a final block',
      ['f3 48 cd c9 c9 07 00 00', 'f2 48 cd c9 c9 07 00'],
      ['Hello', 'Hello'],
    ],
  ])('%s', async (_, payloads, texts) => {
    const { peer, seen } = await compressed()
    for (const payload of payloads) peer.send(frame(1, hex(payload), rsv1))
    await seen.until(() => seen.messages.length === texts.length)
    expect(seen.messages).toEqual(texts)
  })

  test('a message in fragments, with a ping between them, RSV1 on the first alone', async () => {
    const { peer, seen } = await compressed()
    peer.send(
      Buffer.concat([
        frame(1, hex('f2 48 cd'), { ...rsv1, fin: false }),
        frame(9, 'p'),
        frame(0, hex('c9 c9'), { fin: false }),
        frame(0, hex('07 00')),
        frame(1, 'plain'),
      ]),
    )
    await seen.until(() => seen.messages.length === 2)
    expect(seen.messages).toEqual(['Hello', 'plain'])
    expect(seen.pings).toEqual([Uint8Array.of(0x70)])
  })

  test('what is behind a message waits until it is inflated', async () => {
    const { peer, seen } = await compressed()
    peer.send(
      Buffer.concat([
        frame(1, deflated('x'.repeat(100_000)), rsv1),
        frame(1, 'second'),
        frame(2, deflated(Buffer.alloc(50_000)), rsv1),
        frame(9, 'p'),
        frame(1, 'fourth'),
        frame(8, closePayload(1000)),
      ]),
    )
    expect(await closeCodeOf(peer)).toBe(1000)
    await seen.closed
    expect(seen.messages.map(({ length }) => length)).toEqual([100_000, 6, 50_000, 6])
  })
})

describe('what is refused', () => {
  test.each<[string, Uint8Array, number]>([
    ['RSV1 on a control frame (6.1)', frame(9, '', rsv1), 1002],
    ['RSV1 on a close', frame(8, closePayload(1000), rsv1), 1002],
    [
      'RSV1 on a continuation',
      Buffer.concat([frame(1, 'a', { fin: false }), frame(0, 'b', rsv1)]),
      1002,
    ],
    ['RSV2', frame(1, '', { rsv: 0x20 }), 1002],
    ['RSV3', frame(1, '', { rsv: 0x10 }), 1002],
    ['bytes that are no deflate', frame(1, hex('ff ff ff'), rsv1), 1007],
    ['a reference to before the window', frame(2, hex('f2 00 11 00 00'), rsv1), 1007],
    ['a stored block cut short', frame(2, hex('00 05 00 fa ff 48 65'), rsv1), 1007],
    ['a stored block without its bytes', frame(2, hex('00 05 00 fa ff'), rsv1), 1007],
    ['text that is not UTF-8', frame(1, deflated(hex('c3 28')), rsv1), 1007],
  ])('%s', async (_, bytes, code) => {
    const { peer, seen } = await compressed()
    peer.send(bytes)
    expect(await closeCodeOf(peer)).toBe(code)
    expect(await seen.closed).toMatchObject({ code, wasClean: false })
    expect(seen.messages).toEqual([])
  })

  test('RSV1 where nothing was agreed', async () => {
    const { peer } = await served({ extensions: [deflate()] })
    peer.send(frame(1, deflated('x'), rsv1))
    expect(await closeCodeOf(peer)).toBe(1002)
  })

  test('a message at maxMessage, and one over it', async () => {
    const { peer, seen } = await compressed({ maxMessage: 100_000 })
    peer.send(frame(2, deflated(Buffer.alloc(100_000)), rsv1))
    await seen.until(() => seen.messages.length === 1)
    peer.send(frame(2, deflated(Buffer.alloc(100_001)), rsv1))
    expect(await closeCodeOf(peer)).toBe(1009)
  })

  test('a bomb is refused before it has gone off [threat F14]', async () => {
    const bomb = deflated(Buffer.alloc(64 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(100_000)
    const codec = deflate().accept([])!.start()
    const made = await inflated(codec, bomb, 100_000)
    expect(made.error).toMatchObject({ code: 1009 })
    // As much as was asked for and a piece of the inflater, not 64 MiB.
    expect(made.bytes).toBeLessThan(300_000)
    const { peer, seen } = await compressed({ maxMessage: 100_000 })
    peer.send(frame(2, bomb, rsv1))
    expect(await closeCodeOf(peer)).toBe(1009)
    await seen.closed
  })

  /** How much came out of zlib, whatever became of it. */
  async function inflated(
    codec: MessageCodec,
    payload: Uint8Array,
    maxMessage: number,
  ): Promise<{ readonly error: Error | undefined; readonly bytes: number }> {
    let bytes = 0
    const push = vi.spyOn(zlib.InflateRaw.prototype, 'push').mockImplementation(function push(
      this: zlib.InflateRaw,
      piece: Buffer | null,
    ) {
      bytes += piece?.length ?? 0
      this.emit('data', piece)
      return true
    })
    const error = await new Promise<Error | undefined>((resolve) =>
      codec.decode(payload, maxMessage, resolve),
    )
    // Where it did not stop, it would go on now.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1))
    push.mockRestore()
    codec.close()
    return { error, bytes }
  }

  test('what does not shrink may be a little longer than maxMessage, not more', async () => {
    const { peer, seen } = await compressed({ maxMessage: 10_000 })
    const random = Uint8Array.from({ length: 10_000 }, (_, index) => (index * 7919 * index) >>> 5)
    const stored = zlib.deflateRawSync(random, {
      level: 0,
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
    })
    peer.send(frame(2, stored.subarray(0, -4), rsv1))
    await seen.until(() => seen.messages.length === 1)
    peer.send(frame(2, new Uint8Array(12_000), rsv1).subarray(0, 8))
    expect(await closeCodeOf(peer)).toBe(1009)
  })

  test('a message of many deflate streams', async () => {
    const { peer } = await compressed()
    peer.send(frame(2, Buffer.alloc(200, hex('03 00')), rsv1))
    expect(await closeCodeOf(peer)).toBe(1008)
  })
})

describe('memory', () => {
  test('zlib is given back when the connection ends, also in the middle of its work', async () => {
    const made = vi.spyOn(zlib.InflateRaw.prototype, 'destroy')
    const closed = vi.spyOn(zlib.DeflateRaw.prototype, 'close')
    const { port, sockets } = await serve({ extensions: [deflate()] }, (message, ws) => {
      ws.send(message)
      ws.send(message)
      ws.abort()
    })
    const client = await connect(port, { extensions: [deflate()] })
    client.ws.send('x'.repeat(100_000))
    await client.closed
    await sockets[0]!.closed
    expect(made.mock.calls.length).toBeGreaterThanOrEqual(1)
    expect(closed.mock.calls.length).toBeGreaterThanOrEqual(2)
    made.mockRestore()
    closed.mockRestore()
  })

  test('without context takeover nothing is kept between messages', async () => {
    const codec = deflate({ serverNoContextTakeover: true, clientNoContextTakeover: true })
      .accept([])!
      .start()
    const encode = (message: Uint8Array): Promise<Uint8Array> =>
      new Promise((resolve) => codec.encode(message, (_, payload) => resolve(payload)))
    const message = Buffer.from('the same words again and again'.repeat(100))
    const first = await encode(message)
    expect(Buffer.from(await encode(message)).equals(first)).toBe(true)
    const { deflater, inflater } = codec as unknown as Record<string, { stream: unknown }>
    expect([deflater!.stream, inflater!.stream]).toEqual([undefined, undefined])
    codec.close()
  })

  test('with it the second of two equal messages is short', async () => {
    const codec = deflate().accept([])!.start()
    const encode = (message: Uint8Array): Promise<Uint8Array> =>
      new Promise((resolve) => codec.encode(message, (_, payload) => resolve(payload)))
    const message = Uint8Array.from({ length: 3_000 }, (_, index) => (index * index * 31) >>> 3)
    const [first, second] = [await encode(message), await encode(message)]
    expect(second.length * 10).toBeLessThan(first.length)
    codec.close()
  })

  test('an error of the codec is one of RFC 6455', async () => {
    const codec = deflate().accept([])!.start()
    const error = await new Promise((resolve) => codec.decode(hex('ff'), 10, resolve))
    expect(error).toBeInstanceOf(WebSocketError)
    codec.close()
  })
})
