// The message-level API over real sockets, with a hand-written peer or one of our own.

import { once } from 'node:events'
import * as http from 'node:http'
import type * as net from 'node:net'
import { RawPeer } from '@callbox/testing/node'
import { describe, expect, test, vi } from 'vitest'
import {
  atEnd,
  closeCodeOf,
  closePayload,
  connect,
  frame,
  serve,
  served,
  stranger,
} from '../../../tests/raw-websocket.ts'
import { acceptOf } from './upgrade.ts'
import { acceptWebSocket, connectWebSocket, refuseWebSocket } from './raw.ts'

const echo = (message: string | Uint8Array, ws: { send(message: string | Uint8Array): boolean }) =>
  void ws.send(message)

const text = (size: number): string => 'aä😀'.repeat(Math.ceil(size / 3)).slice(0, size)

describe('messages', () => {
  const sizes = [0, 1, 40, 41, 42, 125, 126, 127, 5_000, 5_461, 5_462, 16_384, 16_385, 70_000]
  test('text and bytes of every form of length, there and back, in order', async () => {
    const { port } = await serve({}, echo)
    const client = await connect(port)
    const sent = sizes.flatMap((size) => [
      'a'.repeat(size),
      // A half of a pair cannot be sent as it is.
      Buffer.from(text(size)).toString(),
      new Uint8Array(size).fill(size),
    ])
    for (const message of sent) client.ws.send(message)
    await client.until(() => client.messages.length === sent.length)
    expect(client.messages.map(String)).toEqual(sent.map(String))
    expect(await client.ws.close()).toBeUndefined()
  })

  test('a view is sent as its range, and is not changed by masking', async () => {
    const { port } = await serve({}, echo)
    const client = await connect(port)
    const memory = Uint8Array.from({ length: 40_000 }, (_, index) => index)
    const before = Buffer.from(memory)
    client.ws.send(memory.subarray(3, 9))
    client.ws.send(memory.subarray(7, 39_999))
    await client.until(() => client.messages.length === 2)
    expect(Buffer.from(client.messages[0] as Uint8Array)).toEqual(before.subarray(3, 9))
    expect(before.subarray(7, 39_999).equals(client.messages[1] as Uint8Array)).toBe(true)
    expect(before.equals(memory)).toBe(true)
  })

  test('what is sent in one turn leaves in one write', async () => {
    const { port } = await serve()
    const client = await connect(port)
    const socket = await rawSocketOf(client.ws)
    const writes = vi.spyOn(socket, 'write')
    for (let index = 0; index < 100; index += 1) client.ws.send(Buffer.of(index))
    client.ws.ping()
    await client.until(() => client.pongs.length === 1)
    expect(writes).toHaveBeenCalledTimes(1)
  })

  test('a message is a string or bytes, nothing else', async () => {
    const { port } = await serve()
    const { ws } = await connect(port)
    for (const wrong of [1, undefined, new ArrayBuffer(4), new Float64Array(4), {}])
      expect(() => ws.send(wrong as Uint8Array)).toThrow(TypeError)
  })

  test('messages that come with the upgrade request, cut at every byte, are delivered', async () => {
    const { port, next } = await serve()
    const request = Buffer.from(
      [
        'GET / HTTP/1.1',
        'Host: here',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        '\r\n',
      ].join('\r\n'),
    )
    const hello = frame(1, 'hello')
    for (let cut = 0; cut <= hello.length; cut += 1) {
      const { socket, seen } = await opened(port, next, request, hello, cut)
      await seen.until(() => seen.messages.length === 1)
      expect(seen.messages).toEqual(['hello'])
      await socket.destroy()
    }
  })

  async function opened(
    port: number,
    next: Awaited<ReturnType<typeof serve>>['next'],
    request: Buffer,
    bytes: Uint8Array,
    cut: number,
  ) {
    const { connect: dial } = await import('node:net')
    const socket = new RawPeer(dial({ host: '127.0.0.1', port }), 'stream')
    const coming = next()
    socket.send(Buffer.concat([request, bytes.subarray(0, cut)]))
    const seen = await coming
    socket.send(bytes.subarray(cut))
    return { socket, seen }
  }
})

/** The socket beneath a client, for what only it can tell. */
async function rawSocketOf(ws: object): Promise<net.Socket> {
  const { connection } = ws as { connection: { socket: net.Socket } }
  return Promise.resolve(connection.socket)
}

describe('backpressure', () => {
  test('a peer that does not read: send says so, reading stops, nothing is lost', async () => {
    const { peer, seen } = await served({ maxUnsent: Infinity })
    peer.socket.pause()
    const chunk = new Uint8Array(256 * 1024)
    let sent = 0
    while (seen.ws.send(chunk) || seen.ws.bufferedAmount < 8 * 1024 * 1024) sent += 1
    expect(seen.ws.bufferedAmount).toBeGreaterThan(4 * 1024 * 1024)
    peer.socket.resume()
    await seen.until(() => seen.drains === 1)
    expect(seen.ws.bufferedAmount).toBe(0)
    peer.send(frame(8, closePayload(1000)))
    await peer.closed
    expect(peer.frames.length).toBe(sent + 1)
  })

  test('who ignores it loses the connection at maxUnsent', async () => {
    const { peer, seen } = await served({ maxUnsent: 1024 * 1024 })
    peer.socket.pause()
    for (let index = 0; index < 1_000 && seen.ws.state === 'open'; index += 1)
      seen.ws.send(new Uint8Array(256 * 1024))
    expect(seen.ws.state).not.toBe('open')
    const close = await seen.closed
    expect(close).toMatchObject({ code: 1006, wasClean: false })
    expect(String(close.error)).toContain('1048576 bytes wait')
  })

  test('paused, nothing is delivered, also of what is here already', async () => {
    const { peer, seen } = await served({}, (_, ws) => ws.pause())
    peer.send(Buffer.concat(['a', 'b', 'c'].map((one) => frame(1, one))))
    await seen.until(() => seen.messages.length > 0)
    await new Promise((resolve) => setImmediate(resolve))
    expect(seen.messages).toEqual(['a'])
    seen.ws.resume()
    expect(seen.messages).toEqual(['a', 'b'])
    seen.ws.resume()
    await seen.until(() => seen.messages.length === 3)
  })

  test('pings are answered; while the peer does not read, only the latest is', async () => {
    const { peer, seen } = await served({ maxUnsent: Infinity })
    peer.send(Buffer.concat(['1', '2', '3'].map((one) => frame(9, one))))
    for (const one of ['1', '2', '3']) {
      const { opcode, payload } = await peer.nextControl()
      expect([opcode, Buffer.from(payload).toString()]).toEqual([10, one])
    }
    peer.socket.pause()
    while (seen.ws.bufferedAmount < 4 * 1024 * 1024) {
      seen.ws.send(new Uint8Array(1024 * 1024))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const before = seen.ws.bufferedAmount
    peer.send(Buffer.concat(Array.from({ length: 5_000 }, (_, index) => frame(9, `${index}`))))
    while (seen.pings.length < 5_003) await new Promise((resolve) => setImmediate(resolve))
    expect(seen.ws.bufferedAmount).toBe(before)
    peer.socket.resume()
    const pong = await peer.nextControl()
    expect(Buffer.from(pong.payload).toString()).toBe('4999')
    seen.ws.send('end')
    expect((await peer.nextControl()).opcode).toBe(1)
  })

  test('a flood of pings in one chunk is answered with a few kilobytes', async () => {
    const { peer, seen } = await served()
    const flood = Array.from({ length: 9_000 }, (_, index) => frame(9, `${index}`))
    peer.send(Buffer.concat(flood))
    while (seen.pings.length < 9_000) await new Promise((resolve) => setImmediate(resolve))
    seen.ws.send('end')
    let last = ''
    let pongs = 0
    for (;;) {
      const { opcode, payload } = await peer.nextControl()
      if (opcode === 1) break
      pongs += 1
      last = Buffer.from(payload).toString()
    }
    expect(pongs).toBeLessThan(9_000)
    expect(last).toBe('8999')
  })
})

describe('closing', () => {
  test('a close of ours: both sides know code and reason', async () => {
    const { port, next } = await serve()
    const accepted = next()
    const client = await connect(port)
    const server = await accepted
    await client.ws.close(4_000, 'enough')
    expect(await server.closed).toEqual({ code: 4_000, reason: 'enough', wasClean: true })
    expect(await client.closed).toEqual({ code: 4_000, reason: '', wasClean: true })
    expect(client.ws.state).toBe('closed')
    expect(client.ws.send('late')).toBe(false)
    await client.ws.close()
  })

  test('what was sent before arrives before', async () => {
    const { port, next } = await serve()
    const accepted = next()
    const client = await connect(port)
    const server = await accepted
    for (let index = 0; index < 50; index += 1) client.ws.send(`${index}`)
    await client.ws.close()
    expect(server.messages.length).toBe(50)
  })

  test('a close without a code is 1005, and answered without one', async () => {
    const { peer, seen } = await served()
    peer.send(frame(8))
    expect(await closeCodeOf(peer)).toBe(1005)
    expect(await seen.closed).toEqual({ code: 1005, reason: '', wasClean: true })
  })

  test.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])(
    'code %i may be sent and received',
    async (code) => {
      const { peer, seen } = await served()
      void seen.ws.close(code)
      expect(await closeCodeOf(peer)).toBe(code)
      peer.send(frame(8, closePayload(code)))
      expect(await seen.closed).toMatchObject({ code, wasClean: true })
    },
  )

  test.each([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])(
    'code %i may be neither',
    async (code) => {
      const { peer, seen } = await served()
      expect(() => seen.ws.close(code)).toThrow(RangeError)
      peer.send(frame(8, closePayload(code)))
      expect(await closeCodeOf(peer)).toBe(1002)
      expect(await seen.closed).toMatchObject({ code: 1002, wasClean: false })
    },
  )

  test('a reason is a string of at most 123 bytes [threat F11]', async () => {
    const { port } = await serve()
    const { ws } = await connect(port)
    expect(() => ws.close(1000, new Float64Array(4) as unknown as string)).toThrow(TypeError)
    expect(() => ws.close(1000, 'ä'.repeat(62))).toThrow(RangeError)
    await ws.close(1000, 'ä'.repeat(61))
  })

  test('the server ends the connection first, the client waits for it (7.1.1)', async () => {
    const { peer, seen } = await served()
    peer.send(frame(8, closePayload(1000)))
    // The raw peer has not sent a FIN: this is the server's.
    await peer.closed
    expect(await closeCodeOf(peer)).toBe(1000)
    expect(await seen.closed).toMatchObject({ code: 1000, wasClean: true })
  })

  test('a peer that never answers: the socket goes after closeTimeoutMs', async () => {
    const { peer, seen } = await served({ closeTimeoutMs: 20 })
    await seen.ws.close()
    expect(await seen.closed).toMatchObject({ code: 1006, wasClean: false })
    await peer.closed
  })

  test('a peer that answers and never ends: the same', async () => {
    const { peer, seen } = await served({ closeTimeoutMs: 20 })
    peer.send(frame(8, closePayload(1001)))
    expect(await seen.closed).toMatchObject({ code: 1001, wasClean: true })
  })

  test('bytes behind a close frame are dropped, and end the socket after 64 KiB [threat F15]', async () => {
    const { peer, seen } = await served({ closeTimeoutMs: 60_000 })
    peer.send(frame(8, closePayload(1000)))
    for (let index = 0; index < 20; index += 1) peer.send(frame(2, new Uint8Array(8 * 1024)))
    await seen.closed
    expect(seen.messages).toEqual([])
  })

  test('FIN without a close frame is 1006', async () => {
    const { peer, seen } = await served()
    peer.send(frame(2, 'whole'))
    peer.socket.end(frame(2, 'cut off').subarray(0, 8))
    const close = await seen.closed
    expect(close).toMatchObject({ code: 1006, reason: '', wasClean: false })
    expect(seen.messages.map((one) => Buffer.from(one).toString())).toEqual(['whole'])
  })

  test('a half-closed peer still gets what was sent, and the answer to its close', async () => {
    const { peer, seen } = await served({}, echo)
    peer.send(frame(1, 'last words'))
    peer.socket.end(frame(8, closePayload(1000, 'bye')))
    const answer = await peer.nextControl()
    expect(Buffer.from(answer.payload).toString()).toBe('last words')
    expect(await closeCodeOf(peer)).toBe(1000)
    expect(await seen.closed).toEqual({ code: 1000, reason: 'bye', wasClean: true })
  })

  test('a paused client loses nothing when the server ends: messages, close frame, FIN', async () => {
    const { port } = await stranger((request, socket) => {
      const [, key = ''] = /Sec-WebSocket-Key: (\S+)/i.exec(request) ?? []
      socket.end(
        Buffer.concat([
          Buffer.from(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
              `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
          ),
          Buffer.from('810161 810162 810163 880203e8'.replaceAll(' ', ''), 'hex'),
        ]),
      )
    })
    const client = await connect(port, {}, (_, ws) => ws.pause())
    await client.until(() => client.messages.length === 1)
    // Time for the FIN to do its harm.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(client.ws.state).toBe('open')
    for (let turn = 0; turn < 3; turn += 1) client.ws.resume()
    expect(await client.closed).toEqual({ code: 1000, reason: '', wasClean: true })
    expect(client.messages).toEqual(['a', 'b', 'c'])
  })

  test('a reset is 1006, with the error of the socket', async () => {
    const { peer, seen } = await served()
    peer.socket.resetAndDestroy()
    const { code, error } = await seen.closed
    expect(code).toBe(1006)
    expect(error).toMatchObject({ code: 'ECONNRESET' })
  })

  test('abort ends at once, and once', async () => {
    const { peer, seen } = await served()
    seen.ws.abort()
    seen.ws.abort()
    expect(await seen.closed).toEqual({ code: 1006, reason: '', wasClean: false })
    await peer.closed
    await seen.ws.close()
  })

  test('close while paused settles, and drops what was not read', async () => {
    const { peer, seen } = await served()
    seen.ws.pause()
    peer.send(frame(1, 'unread'))
    const closed = seen.ws.close()
    expect(await closeCodeOf(peer)).toBe(1000)
    peer.send(frame(8, closePayload(1000)))
    await closed
    expect(seen.messages).toEqual([])
    expect(await seen.closed).toMatchObject({ code: 1000, wasClean: true })
  })

  test('a socket that died before `open` is told by it', async () => {
    const server = http.createServer()
    const accepted = new Promise<ReturnType<typeof acceptWebSocket>>((resolve) => {
      server.on('upgrade', (...request) => resolve(acceptWebSocket(...request)))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    atEnd(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as net.AddressInfo
    const peer = await RawPeer.connect({ port, ws: true })
    const ws = (await accepted)!
    await peer.destroy()
    await ws.close()
    const close = await new Promise((resolve) =>
      ws.open({ onMessage: () => undefined, onClose: resolve }),
    )
    expect(close).toMatchObject({ wasClean: false })
    expect(() => ws.open({ onMessage: () => undefined, onClose: () => undefined })).toThrow('once')
  })

  test('an error of the handler costs the connection, not the process', async () => {
    const { peer, seen } = await served({}, () => {
      throw new Error('mine')
    })
    peer.send(frame(1, 'x'))
    const { code, error } = await seen.closed
    expect(code).toBe(1006)
    expect(error).toMatchObject({ message: 'mine' })
    await peer.closed
  })

  test('an error of onClose is a warning', async () => {
    const { port } = await serve()
    const ws = await connectWebSocket(`ws://127.0.0.1:${port}/`)
    const warned = once(process, 'warning')
    ws.open({
      onMessage: () => undefined,
      onClose: () => {
        throw new Error('in onClose')
      },
    })
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    await ws.close()
    expect((await warned)[0]).toMatchObject({ message: 'in onClose' })
    stderr.mockRestore()
  })
})

describe('limits', () => {
  test('maxMessage: at it, and one over, on the header', async () => {
    const { peer, seen } = await served({ maxMessage: 1_000 })
    peer.send(frame(2, new Uint8Array(1_000)))
    await seen.until(() => seen.messages.length === 1)
    peer.send(frame(2, new Uint8Array(1_001)).subarray(0, 8))
    expect(await closeCodeOf(peer)).toBe(1009)
    const close = await seen.closed
    expect(close).toMatchObject({ code: 1009, reason: 'message over 1000 bytes', wasClean: false })
  })

  test('maxFragments: at it, and one over', async () => {
    const { peer, seen } = await served({ maxFragments: 3 })
    const some = (count: number): Uint8Array[] =>
      Array.from({ length: count }, (_, index) =>
        frame(index === 0 ? 1 : 0, 'x', { fin: index === 2 }),
      )
    peer.send(Buffer.concat(some(3)))
    await seen.until(() => seen.messages.length === 1)
    expect(seen.messages).toEqual(['xxx'])
    peer.send(Buffer.concat([...some(2), frame(0, 'x', { fin: false }), frame(0, '')]))
    expect(await closeCodeOf(peer)).toBe(1008)
  })

  test('any number of fragments', async () => {
    const { peer, seen } = await served({ maxFragments: Infinity })
    const parts = Array.from({ length: 5_000 }, (_, index) =>
      frame(index === 0 ? 2 : 0, Buffer.of(index & 0xff), { fin: index === 4_999 }),
    )
    peer.send(Buffer.concat(parts))
    await seen.until(() => seen.messages.length === 1)
    expect(seen.messages[0]!.length).toBe(5_000)
  })

  test('limits that are none are refused', async () => {
    for (const options of [
      { maxMessage: -1 },
      { maxMessage: Number.NaN },
      { maxFragments: 0 },
      { maxFragments: 1.5 },
      { maxUnsent: -1 },
      { closeTimeoutMs: Infinity },
    ])
      await expect(connectWebSocket('ws://127.0.0.1:1/', options)).rejects.toThrow(RangeError)
  })

  test('a ping of 125 bytes, not of 126', async () => {
    const { port } = await serve()
    const { ws } = await connect(port)
    ws.ping(new Uint8Array(125))
    expect(() => ws.ping(new Uint8Array(126))).toThrow(RangeError)
  })
})

describe('the opening handshake', () => {
  test('the first subprotocol of the client that the server speaks', async () => {
    const { port } = await serve({ subprotocols: ['b', 'c'] })
    expect((await connect(port, { subprotocols: ['a', 'c', 'b'] })).ws.protocol).toBe('c')
    expect((await connect(port, { subprotocols: ['a'] })).ws.protocol).toBe('')
    expect((await connect(port)).ws.protocol).toBe('')
  })

  test('one that must be spoken', async () => {
    const { port, refused } = await serve({ subprotocols: ['b'], requireSubprotocol: true })
    await expect(connect(port, { subprotocols: ['a'] })).rejects.toThrow('400')
    expect(refused).toEqual(['a subprotocol is needed: b'])
    expect((await connect(port, { subprotocols: ['b'] })).ws.protocol).toBe('b')
  })

  test('an origin rule that throws answers 500, and the server goes on', async () => {
    const { port, refused } = await serve({
      allowedOrigins: () => {
        throw new Error('mine')
      },
    })
    await expect(connect(port, { headers: { Origin: 'http://a.example' } })).rejects.toThrow('500')
    expect(refused).toEqual(['the request could not be judged'])
    await connect(port)
  })

  test('refuseWebSocket answers with a status of its own', async () => {
    const server = http.createServer()
    server.on('upgrade', (_, socket) => refuseWebSocket(socket, 401, 'who are you'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    atEnd(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as net.AddressInfo
    await expect(connect(port)).rejects.toThrow('401')
  })

  test('no extension is agreed unless it was passed in', async () => {
    const { port } = await serve()
    const { peer } = await served({}, undefined, {
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    })
    expect(peer.http).toContain('101')
    expect(peer.http).not.toContain('Extensions')
    expect((await connect(port)).ws.extensions).toBe('')
  })

  test('bytes that come with the answer are delivered', async () => {
    const { port } = await stranger((request, socket) => {
      const [, key = ''] = /Sec-WebSocket-Key: (\S+)/i.exec(request) ?? []
      socket.write(
        Buffer.concat([
          Buffer.from(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
              `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
          ),
          Buffer.from('8103616263', 'hex'),
        ]),
      )
    })
    const client = await connect(port)
    await client.until(() => client.messages.length === 1)
    expect(client.messages).toEqual(['abc'])
  })
})
