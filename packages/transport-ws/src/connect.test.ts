// The client: what it asks for, which answers it refuses, and the ways it takes.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { authority } from '../../../tests/certificates.ts'
import { atEnd, Seen, serve, stranger } from '../../../tests/raw-websocket.ts'
import { acceptWebSocket, connectWebSocket } from './raw.ts'
import { acceptOf } from './upgrade.ts'

const host = '127.0.0.1'

function keyOf(request: string): string {
  return /Sec-WebSocket-Key: (\S+)/i.exec(request)?.[1] ?? ''
}

/** An answer that is right but for what `change` does to its headers. */
function answerTo(
  request: string,
  change: Readonly<Record<string, string | undefined>> = {},
  first = 'HTTP/1.1 101 Switching Protocols',
): string {
  const headers = {
    'Upgrade': 'websocket',
    'Connection': 'Upgrade',
    'Sec-WebSocket-Accept': acceptOf(keyOf(request)),
    ...change,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return [first, ...lines, '\r\n'].join('\r\n')
}

describe('the request', () => {
  test('has what section 4.1 asks for, a new key each time, and the headers of the user', async () => {
    const { port, requests } = await stranger((request, socket) => {
      socket.end(answerTo(request))
    })
    for (let round = 0; round < 2; round += 1) {
      const ws = await connectWebSocket(`ws://${host}:${port}/path?query=1`, {
        subprotocols: ['a', 'b'],
        headers: { 'X-Own': 'value', 'Origin': 'https://here.example' },
      })
      ws.abort()
    }
    const [one = '', two = ''] = requests
    expect(one).toMatch(/^GET \/path\?query=1 HTTP\/1\.1\r\n/)
    for (const line of [
      `Host: ${host}:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: a, b',
      'X-Own: value',
      'Origin: https://here.example',
    ])
      expect(one.split('\r\n')).toContain(line)
    expect(one).not.toMatch(/Extensions/i)
    expect(Buffer.from(keyOf(one), 'base64').length).toBe(16)
    expect(keyOf(one)).not.toBe(keyOf(two))
  })

  test.each([
    ['a line break', { 'X-A': 'a\r\nX-B: b' }],
    ['a line feed', { 'X-A': 'a\nb' }],
    ['a NUL', { 'X-A': 'a\0b' }],
    ['what Latin-1 does not have', { 'X-A': '€' }],
    ['a name that is no token', { 'X A': 'a' }],
    ['an empty name', { '': 'a' }],
    ['the key', { 'Sec-WebSocket-Key': 'a' }],
    ['the connection', { Connection: 'close' }],
    ['a length', { 'content-length': '5' }],
  ])('headers that may not be: %s [threat H13]', async (_, headers) => {
    const { port, requests } = await stranger(() => undefined)
    await expect(connectWebSocket(`ws://${host}:${port}/`, { headers })).rejects.toThrow(TypeError)
    expect(requests).toEqual([])
  })

  test.each([
    'http://here/',
    'wss:',
    'ws://here/#part',
    'ws://user@here/',
    'ws://:secret@here/',
    'nothing',
  ])('a URL that may not be: %s', async (url) => {
    await expect(connectWebSocket(url)).rejects.toThrow(TypeError)
  })

  test('subprotocols are tokens, each once', async () => {
    for (const subprotocols of [['a b'], [''], ['a', 'a'], ['a,b']])
      await expect(connectWebSocket('ws://here/', { subprotocols })).rejects.toThrow(TypeError)
  })

  test('mask keys differ from frame to frame', async () => {
    let bytes = Buffer.alloc(0)
    const { port } = await stranger((request, socket) => {
      socket.on('data', (chunk: Buffer) => (bytes = Buffer.concat([bytes, chunk])))
      socket.write(answerTo(request))
    })
    const ws = await connectWebSocket(`ws://${host}:${port}/`)
    atEnd(() => ws.abort())
    for (let index = 0; index < 200; index += 1) ws.send(Buffer.of(0))
    while (bytes.length < 200 * 7) await new Promise((resolve) => setImmediate(resolve))
    const keys = new Set<string>()
    for (let at = 0; at < bytes.length; at += 7)
      keys.add(bytes.subarray(at + 2, at + 6).toString('hex'))
    // Two equal ones among 200 of 2^32: once in 200,000 runs.
    expect(keys.size).toBeGreaterThanOrEqual(199)
  })
})

describe('answers that are refused', () => {
  const accept = 'Sec-WebSocket-Accept'
  test.each<[string, (request: string) => string, string]>([
    ['200', (r) => answerTo(r, { 'Content-Length': '0' }, 'HTTP/1.1 200 OK'), '200'],
    ['another version of HTTP', (r) => answerTo(r, {}, 'HTTP/1.0 101 Yes'), 'HTTP/1.1'],
    ['no Upgrade', (r) => answerTo(r, { Upgrade: undefined }), 'upgrade'],
    ['Upgrade to something else', (r) => answerTo(r, { Upgrade: 'h2c' }), 'upgrade'],
    ['no Connection', (r) => answerTo(r, { Connection: undefined }), 'Connection'],
    ['another Connection', (r) => answerTo(r, { Connection: 'close' }), 'Connection'],
    ['no accept', (r) => answerTo(r, { [accept]: undefined }), 'Accept'],
    ['the accept of another key', (r) => answerTo(r, { [accept]: acceptOf('other') }), 'Accept'],
    ['the key itself', (r) => answerTo(r, { [accept]: keyOf(r) }), 'Accept'],
    ['a subprotocol', (r) => answerTo(r, { 'Sec-WebSocket-Protocol': 'a' }), 'subprotocol'],
    [
      'an extension',
      (r) => answerTo(r, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }),
      'extension',
    ],
    [
      'an extension with the name of a property',
      (r) => answerTo(r, { 'Sec-WebSocket-Extensions': '__proto__' }),
      'extension',
    ],
    ['headers over 16 KiB', (r) => answerTo(r, { 'X-A': 'a'.repeat(17_000) }), 'Header'],
  ])('%s', async (_, answer, named) => {
    const { port } = await stranger((request, socket) => void socket.end(answer(request)))
    await expect(connectWebSocket(`ws://${host}:${port}/`)).rejects.toThrow(named)
  })

  test('a redirect is not followed: one request only [threat H13]', async () => {
    const { port, requests } = await stranger((_, socket) => {
      socket.end(
        `HTTP/1.1 302 Found\r\nLocation: ws://${host}:1/other\r\nContent-Length: 0\r\n\r\n`,
      )
    })
    await expect(connectWebSocket(`ws://${host}:${port}/`)).rejects.toThrow('302')
    expect(requests.length).toBe(1)
  })

  test('a masked frame of the server ends the connection with 1002 [threat F7]', async () => {
    const { port } = await stranger((request, socket) => {
      socket.write(
        Buffer.concat([Buffer.from(answerTo(request)), Buffer.from('82810000000000', 'hex')]),
      )
      socket.on('data', () => socket.end())
    })
    const seen = new Seen(await connectWebSocket(`ws://${host}:${port}/`))
    expect(await seen.closed).toMatchObject({ code: 1002, wasClean: false })
    expect(seen.messages).toEqual([])
  })

  test('a server that says nothing: timeoutMs', async () => {
    const { port } = await stranger(() => undefined)
    await expect(connectWebSocket(`ws://${host}:${port}/`, { timeoutMs: 20 })).rejects.toThrow(
      'not connected after 20 ms',
    )
    for (const timeoutMs of [0, Number.NaN, 2 ** 31])
      await expect(connectWebSocket(`ws://${host}:${port}/`, { timeoutMs })).rejects.toThrow(
        RangeError,
      )
  })

  test('a signal ends the attempt, before it and during it', async () => {
    const { port } = await stranger(() => controller.abort(new Error('enough')))
    const controller = new AbortController()
    const { signal } = controller
    const attempt = connectWebSocket(`ws://${host}:${port}/`, { signal })
    await expect(attempt).rejects.toThrow('enough')
    await expect(connectWebSocket(`ws://${host}:${port}/`, { signal })).rejects.toThrow('enough')
  })

  test('nobody there', async () => {
    const server = net.createServer().listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    await new Promise((resolve) => server.close(resolve))
    await expect(connectWebSocket(`ws://${host}:${port}/`)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
  })
})

const echo = (message: string | Uint8Array, ws: { send(message: string | Uint8Array): boolean }) =>
  void ws.send(message)

/** One message there and back: what came. */
async function works(attempt: ReturnType<typeof connectWebSocket>): Promise<unknown> {
  const ws = await attempt
  atEnd(() => ws.abort())
  const seen = new Seen(ws)
  ws.send('there and back')
  await seen.until(() => seen.messages.length === 1)
  await ws.close()
  return seen.messages
}

const thereAndBack = ['there and back']

/** A server that echoes, with TLS or not, listening where it is told. */
async function listens(server: http.Server, where: string | 0): Promise<number> {
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    const ws = acceptWebSocket(request, socket, head)
    if (ws !== undefined) new Seen(ws, echo)
  })
  if (where === 0) server.listen(0, host)
  else server.listen(where)
  await once(server, 'listening')
  atEnd(() => new Promise((resolve) => server.close(resolve)))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('the way there', () => {
  const ca = authority()
  const { cert, key } = ca.issue({ name: 'server', hosts: ['localhost'] })

  test('TLS: the certificate must be for the host, by an authority that is trusted', async () => {
    const port = await listens(https.createServer({ cert, key }), 0)
    const tls = { ca: ca.cert }
    expect(await works(connectWebSocket(`wss://localhost:${port}/`, { tls }))).toEqual(thereAndBack)
    // It is not for the address, and another Host header changes nothing about that.
    for (const headers of [{}, { Host: 'localhost' }])
      await expect(
        connectWebSocket(`wss://${host}:${port}/`, { tls, headers }),
      ).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    await expect(connectWebSocket(`wss://localhost:${port}/`)).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    })
    expect(
      await works(
        connectWebSocket(`wss://${host}:${port}/`, { tls: { ...tls, servername: 'localhost' } }),
      ),
    ).toEqual(thereAndBack)
  })

  test.skipIf(process.platform === 'win32')(
    'a unix socket (there are none on Windows)',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'callbox-'))
      atEnd(() => rmSync(folder, { recursive: true }))
      const socketPath = join(folder, 'socket')
      await listens(http.createServer(), socketPath)
      expect(await works(connectWebSocket('ws://localhost/rpc', { socketPath }))).toEqual(
        thereAndBack,
      )
    },
  )

  test('an agent of the user', async () => {
    const port = await listens(http.createServer(), 0)
    let made = 0
    class Counting extends http.Agent {
      override createConnection(
        ...args: Parameters<http.Agent['createConnection']>
      ): ReturnType<http.Agent['createConnection']> {
        made += 1
        return super.createConnection(...args)
      }
    }
    const agent = new Counting({ keepAlive: true })
    expect(await works(connectWebSocket(`ws://${host}:${port}/`, { agent }))).toEqual(thereAndBack)
    expect(made).toBe(1)
  })

  interface Proxy {
    readonly port: number
    readonly asked: string[]
    readonly credentials: (string | undefined)[]
  }

  /** An HTTP proxy that knows CONNECT and sends everybody to 127.0.0.1. */
  async function proxied(status = 200, early = ''): Promise<Proxy> {
    const asked: string[] = []
    const credentials: (string | undefined)[] = []
    const sockets = new Set<Duplex>()
    const server = http.createServer()
    server.on('connect', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
      sockets.add(socket)
      asked.push(request.url ?? '')
      credentials.push(request.headers['proxy-authorization'])
      socket.on('error', () => undefined)
      if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)
      const target = net.connect({ host, port: Number(request.url?.split(':').at(-1)) }, () => {
        socket.write(`HTTP/1.1 200 Connection established\r\n\r\n${early}`)
        target.write(head)
        target.pipe(socket).pipe(target)
      })
      target.on('error', () => socket.destroy())
      socket.on('close', () => target.destroy())
      target.on('close', () => socket.destroy())
    })
    server.listen(0, host)
    await once(server, 'listening')
    atEnd(() => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    })
    return { port: (server.address() as net.AddressInfo).port, asked, credentials }
  }

  test('an HTTP proxy, by CONNECT; its credentials are for it alone', async () => {
    const requests: http.IncomingMessage[] = []
    const server = http.createServer()
    server.on('upgrade', (request) => requests.push(request))
    const port = await listens(server, 0)
    const proxy = await proxied()
    expect(
      await works(
        connectWebSocket(`ws://localhost:${port}/`, {
          proxy: `http://me:s%40c@${host}:${proxy.port}`,
        }),
      ),
    ).toEqual(thereAndBack)
    expect(proxy.asked).toEqual([`localhost:${port}`])
    expect(proxy.credentials).toEqual([`Basic ${Buffer.from('me:s@c').toString('base64')}`])
    expect(requests[0]?.headers['proxy-authorization']).toBeUndefined()
  })

  test('TLS through the proxy: the certificate is still checked for the host', async () => {
    const port = await listens(https.createServer({ cert, key }), 0)
    const proxy = new URL(`http://${host}:${(await proxied()).port}`)
    const tls = { ca: ca.cert }
    expect(await works(connectWebSocket(`wss://localhost:${port}/`, { tls, proxy }))).toEqual(
      thereAndBack,
    )
    await expect(
      connectWebSocket(`wss://other.example:${port}/`, { tls, proxy }),
    ).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  })

  test('a proxy that refuses, that speaks too early, that is none', async () => {
    const port = await listens(http.createServer(), 0)
    const at = async (proxy: Promise<Proxy>): Promise<string> =>
      `http://${host}:${(await proxy).port}`
    const url = `ws://${host}:${port}/`
    await expect(connectWebSocket(url, { proxy: await at(proxied(407)) })).rejects.toThrow('407')
    await expect(connectWebSocket(url, { proxy: await at(proxied(200, 'early')) })).rejects.toThrow(
      'before the server could',
    )
    await expect(connectWebSocket(url, { proxy: 'socks5://here' })).rejects.toThrow(TypeError)
    const silent = await stranger(() => undefined)
    await expect(
      connectWebSocket(url, { proxy: `http://${host}:${silent.port}`, timeoutMs: 20 }),
    ).rejects.toThrow('not connected')
  })

  test('an IPv6 address in the URL', async ({ skip }) => {
    const server = http.createServer()
    server.on('upgrade', (request, socket, head) => {
      const ws = acceptWebSocket(request, socket, head)
      if (ws !== undefined) new Seen(ws, echo)
    })
    server.listen(0, '::1')
    const failed = await Promise.race([
      once(server, 'listening').then(() => undefined),
      once(server, 'error').then(([error]) => error as NodeJS.ErrnoException),
    ])
    if (failed !== undefined) return skip(`no IPv6 here: ${failed.code}`)
    atEnd(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as net.AddressInfo
    expect(await works(connectWebSocket(`ws://[::1]:${port}/`))).toEqual(thereAndBack)
  })

  test('a server of ours over its port', async () => {
    const { port } = await serve({}, echo)
    expect(await works(connectWebSocket(new URL(`ws://${host}:${port}`)))).toEqual(thereAndBack)
  })
})
