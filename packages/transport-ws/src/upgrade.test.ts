// The opening handshake against a real server of node:http, by raw sockets.

import { once } from 'node:events'
import * as http from 'node:http'
import * as net from 'node:net'
import { createClient } from '@callbox/client'
import { contract, unary } from '@callbox/core'
import { createServer, implement, silent, type Server } from '@callbox/server'
import { RawPeer, rawHello } from '@callbox/testing/node'
import * as T from 'typebox'
import { afterEach, describe, expect, test } from 'vitest'
import { ws } from './index.ts'
import type { OriginRule } from './origin.ts'

const host = '127.0.0.1'
const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const where = contract('where', { who: unary({ output: T.Unknown() }) })
const service = implement(where, {
  who: (_, { connection: { peer } }) => ({
    transport: peer.transport,
    address: peer.remoteAddress,
    origin: peer.origin,
    cookie: peer.headers?.['cookie'],
  }),
})

async function serve(options: object = {}): Promise<{ server: Server; port: number }> {
  const server = createServer({ services: [service], logger: silent })
  closers.push(() => server.close({ graceMs: 0 }))
  return { server, port: (await server.listen(ws({ host, port: 0, ...options }))).port }
}

const headers: Readonly<Record<string, string>> = {
  'Host': 'here',
  'Upgrade': 'websocket',
  'Connection': 'keep-alive, Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': key,
  'Sec-WebSocket-Protocol': 'other, callbox.v1',
}

/** Sends a request as it is and reads the answer up to its end or the upgrade. */
async function ask(
  port: number,
  first: string,
  fields: Readonly<Record<string, string>>,
): Promise<string> {
  const socket = net.connect({ host, port })
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  socket.write([first, ...lines, '', ''].join('\r\n'))
  let text = ''
  for await (const chunk of socket) {
    text += String(chunk)
    if (text.startsWith('HTTP/1.1 101') && text.includes('\r\n\r\n')) break
  }
  socket.destroy()
  return text
}

const without = (name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([field]) => field !== name))

test('the sample of RFC 6455, section 1.3', async () => {
  const { port } = await serve()
  const answer = await ask(port, 'GET / HTTP/1.1', headers)
  expect(answer).toMatch(/^HTTP\/1\.1 101 /)
  expect(answer).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n')
  expect(answer).toContain('Sec-WebSocket-Protocol: callbox.v1\r\n')
  expect(answer).not.toContain('Extensions')
})

describe('refusals', () => {
  test.each([
    ['another method', 'POST / HTTP/1.1', { ...headers, 'Content-Length': '0' }, 405],
    [
      'another version of WebSocket',
      'GET / HTTP/1.1',
      { ...headers, 'Sec-WebSocket-Version': '8' },
      426,
    ],
    ['no key', 'GET / HTTP/1.1', without('Sec-WebSocket-Key'), 400],
    [
      'a key of another length',
      'GET / HTTP/1.1',
      { ...headers, 'Sec-WebSocket-Key': 'c2hvcnQ=' },
      400,
    ],
    ['no subprotocol', 'GET / HTTP/1.1', without('Sec-WebSocket-Protocol'), 400],
    [
      'another subprotocol',
      'GET / HTTP/1.1',
      { ...headers, 'Sec-WebSocket-Protocol': 'callbox.v2' },
      400,
    ],
    ['another protocol to upgrade to', 'GET / HTTP/1.1', { ...headers, Upgrade: 'h2c' }, 400],
    ['another path', 'GET /elsewhere HTTP/1.1', headers, 404],
    ['no upgrade at all', 'GET / HTTP/1.1', { Host: 'here', Connection: 'close' }, 426],
    ['another origin', 'GET / HTTP/1.1', { ...headers, Origin: 'https://evil.example' }, 403],
  ])('%s', async (_, first, fields, status) => {
    const { port } = await serve()
    const answer = await ask(port, first, fields)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    if (fields['Sec-WebSocket-Version'] === '8')
      expect(answer).toContain('Sec-WebSocket-Version: 13\r\n')
    // A word for whoever debugs it.
    expect(answer.split('\r\n\r\n')[1]?.length).toBeGreaterThan(5)
  })
})

describe('Origin', () => {
  const rules: readonly (readonly [string, OriginRule | undefined, string, boolean])[] = [
    ['the same host', undefined, 'https://localhost', true],
    ['the same host in other letters', undefined, 'https://LOCALHOST', true],
    ['another port is another origin', undefined, 'https://localhost:8443', false],
    ['a longer name', undefined, 'https://localhost.evil.example', false],
    ['null, of a sandboxed page', undefined, 'null', false],
    ['nonsense', undefined, ':', false],
    ['listed', ['https://app.example'], 'https://app.example', true],
    ['not listed', ['https://app.example'], 'https://app.example.evil', false],
    ['the same host is not listed', ['https://app.example'], 'https://localhost', false],
    ['all', '*', 'null', true],
    ['by a function', (origin) => origin.endsWith('.example'), 'https://a.example', true],
    ['not by a function', (origin) => origin.endsWith('.example'), 'https://a.test', false],
  ]
  test.each(rules)('%s', async (_, origins, origin, allowed) => {
    const { port } = await serve(origins === undefined ? {} : { origins })
    const answer = await ask(port, 'GET / HTTP/1.1', {
      ...headers,
      Host: 'localhost',
      Origin: origin,
    })
    expect(answer.slice(9, 12)).toBe(allowed ? '101' : '403')
  })
})

test('bytes that come with the request are not lost', async () => {
  const { port } = await serve()
  const peer = await RawPeer.connect({ host, port, ws: true })
  await peer.handshake()
  await peer.destroy()
  const socket = net.connect({ host, port })
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const request = Buffer.from(['GET / HTTP/1.1', ...lines, '', ''].join('\r\n'))
  const hello = rawHello()
  const frame = Buffer.concat([
    Buffer.of(0x82, 0xfe, hello.length >>> 8, hello.length & 0xff, 0, 0, 0, 0),
    hello,
  ])
  socket.write(Buffer.concat([request, frame]))
  let bytes = Buffer.alloc(0)
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    if (bytes.includes('callbox.v1\r\n\r\n') && bytes.includes('keepalive')) break
  }
  socket.destroy()
  expect(bytes.includes('msgpack')).toBe(true)
})

describe('beside a server that belongs to somebody else', () => {
  async function shared(): Promise<{ port: number; app: http.Server }> {
    const app = http.createServer((request, response) => response.end(`page ${request.url}`))
    app.listen(0, host)
    await once(app, 'listening')
    const server = createServer({ services: [service], logger: silent })
    await server.listen(ws({ server: app, path: '/rpc', trustProxy: 1 }))
    closers.push(async () => {
      await server.close({ graceMs: 0 })
      app.closeAllConnections()
      await new Promise((resolve) => app.close(resolve))
    })
    return { app, port: (app.address() as net.AddressInfo).port }
  }

  test('pages are pages, the path is ours, other paths are refused', async () => {
    const { port } = await shared()
    expect(await (await fetch(`http://${host}:${port}/index`)).text()).toBe('page /index')
    const client = createClient({ where }, ws(`ws://${host}:${port}/rpc`))
    expect(await client.where.who()).toMatchObject({ transport: 'ws', address: host })
    await client.close()
    expect(await ask(port, 'GET /other HTTP/1.1', headers)).toMatch(/^HTTP\/1\.1 404 /)
  })

  test("another listener's upgrades are left alone", async () => {
    const { port, app } = await shared()
    app.on('upgrade', (request: http.IncomingMessage, socket: net.Socket) => {
      if (request.url === '/theirs') socket.end('HTTP/1.1 299 Theirs\r\n\r\n')
    })
    expect(await ask(port, 'GET /theirs HTTP/1.1', headers)).toMatch(/^HTTP\/1\.1 299 /)
    expect(await ask(port, 'GET /rpc HTTP/1.1', headers)).toMatch(/^HTTP\/1\.1 101 /)
  })

  test('authenticate sees headers; a forwarded address counts only as far as proxies are trusted', async () => {
    const { port } = await shared()
    const client = createClient(
      { where },
      ws(`ws://${host}:${port}/rpc`, {
        // Cookies come from a page, and a page has an origin.
        headers: {
          'Cookie': 'session=1',
          'Origin': `http://${host}:${port}`,
          'X-Forwarded-For': '6.6.6.6, 9.9.9.9',
        },
      }),
    )
    expect(await client.where.who()).toMatchObject({ address: '9.9.9.9', cookie: 'session=1' })
    await client.close()
    const { port: own } = await serve()
    const direct = createClient(
      { where },
      ws(`ws://${host}:${own}/`, { headers: { 'X-Forwarded-For': '9.9.9.9' } }),
    )
    expect(await direct.where.who()).toMatchObject({ address: host })
    await direct.close()
  })
})

describe('our client refuses', () => {
  const accept = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
  test.each([
    [
      'an answer that does not upgrade',
      () => 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      '200',
    ],
    ['a redirect', () => 'HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n', '302'],
    ['another accept', () => `${accept}Sec-WebSocket-Accept: AAAA\r\n\r\n`, 'Accept'],
    [
      'an extension that was not offered',
      (good: string) => `${accept}${good}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
      'extension',
    ],
    ['no subprotocol', (good: string) => `${accept}${good}\r\n`, 'callbox.v1'],
  ])('%s', async (_, answer, named) => {
    const { acceptOf } = await import('./upgrade.ts')
    const stranger = net.createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (bytes: Buffer) => {
        const [, sent = ''] = /Sec-WebSocket-Key: (\S+)/i.exec(String(bytes)) ?? []
        socket.end(answer(`Sec-WebSocket-Accept: ${acceptOf(sent)}\r\n`))
      })
    })
    stranger.listen(0, host)
    await once(stranger, 'listening')
    closers.push(() => new Promise((resolve) => stranger.close(resolve)))
    const { port } = stranger.address() as net.AddressInfo
    const transport = ws(`ws://${host}:${port}/`)
    const signal = new AbortController().signal
    await expect(transport.dial!({ signal, maxFrame: 66_560 })).rejects.toThrow(named)
  })

  test('credentials in the URL, and URLs that are no WebSocket', () => {
    expect(() => ws('ws://user:secret@here/')).toThrow(/credential/)
    expect(() => ws('http://here/')).toThrow(/ws:\/\//)
  })
})
