// What strangers do to the opening handshake: every refusal in the words of HTTP, and the server goes on.

import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import * as net from 'node:net'
import * as tls from 'node:tls'
import { createClient, safe } from '@callbox/client'
import { contract, unary } from '@callbox/core'
import { createServer, implement, MetricsRegistry, silent, type Server } from '@callbox/server'
import { RawPeer, rawHello, webSocketFrame } from '@callbox/testing/node'
import * as T from 'typebox'
import { afterEach, describe, expect, test } from 'vitest'
import { authority } from '../../../tests/certificates.ts'
import { sizes } from '../../../tests/sizes.ts'
import { ws, type WsListenOptions } from './index.ts'

const host = '127.0.0.1'
const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const ping = contract('ping', { now: unary({ output: T.Integer() }) })
const service = implement(ping, { now: () => 7 })

interface World {
  readonly server: Server
  readonly metrics: MetricsRegistry
  readonly port: number
}

async function serve(
  options: Partial<WsListenOptions> = {},
  limits: Parameters<typeof createServer>[0]['limits'] = {},
): Promise<World> {
  const metrics = new MetricsRegistry()
  const server = createServer({ services: [service], logger: silent, metrics, limits })
  closers.push(() => server.close({ graceMs: 0 }))
  const { port } = await server.listen(ws({ host, port: 0, ...options }))
  return { server, metrics, port }
}

/** Somebody honest is still let in. */
async function isServed({ port }: World, options: tls.ConnectionOptions = {}): Promise<void> {
  const secure = Object.keys(options).length > 0
  const client = createClient({ ping }, ws(`${secure ? 'wss' : 'ws'}://${host}:${port}`, options))
  expect(await client.ping.now()).toBe(7)
  await client.close()
}

const good: readonly (readonly [string, string])[] = [
  ['Host', 'localhost'],
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', key],
  ['Sec-WebSocket-Protocol', 'callbox.v1'],
]
type Fields = readonly (readonly [string, string])[]

/** The good fields with some changed, or added where there is none of that name. */
function withFields(...changed: Fields): Fields {
  const kept = good.filter(([name]) => !changed.some(([other]) => other === name))
  return [...kept, ...changed]
}

function requestOf(fields: Fields, first = 'GET / HTTP/1.1'): string {
  return [first, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
}

/** The status that a request is answered with. */
async function ask(socket: net.Socket, request: string): Promise<number> {
  let text = ''
  socket.on('error', () => undefined)
  socket.write(request)
  for await (const chunk of socket) {
    text += String(chunk)
    if (text.includes('\r\n\r\n')) break
  }
  socket.destroy()
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1])
}

const to = (port: number): net.Socket => net.connect({ host, port })

describe('headers', () => {
  test('2,000 of them, and 15.9 KiB of them [threat H1]', async () => {
    const world = await serve()
    const many = Array.from({ length: 2_000 }, (_, at) => [`h${at.toString(36)}`, ''] as const)
    expect([400, 431]).toContain(await ask(to(world.port), requestOf([...many, ...good])))
    const rest = 15.9 * 1024 - requestOf(good).length - 'x: \r\n'.length
    const long = withFields(['x', 'a'.repeat(Math.floor(rest))])
    expect(await ask(to(world.port), requestOf(long))).toBe(101)
    expect(await ask(to(world.port), requestOf(withFields(['x', 'a'.repeat(16_384)])))).toBe(431)
    await isServed(world)
  })

  test.each([
    ['Sec-WebSocket-Extensions', 'constructor', 101],
    ['Sec-WebSocket-Extensions', '__proto__; __proto__=1', 101],
    ['Sec-WebSocket-Extensions', ',;constructor', 400],
    ['Sec-WebSocket-Protocol', '__proto__', 400],
    ['Sec-WebSocket-Protocol', 'constructor, toString', 400],
    ['Sec-WebSocket-Protocol', '', 400],
    ['Upgrade', 'constructor', 400],
    ['Connection', '__proto__', 400],
  ])('%s: %s [threat H2]', async (name, value, status) => {
    const world = await serve()
    expect(await ask(to(world.port), requestOf(withFields([name, value])))).toBe(status)
    await isServed(world)
  })

  test('15,000 spaces in a list cost no time [threat H3]', async () => {
    const world = await serve()
    const list = `a${' '.repeat(15_000)}x`
    expect(await ask(to(world.port), requestOf(withFields(['Sec-WebSocket-Protocol', list])))).toBe(
      400,
    )
    // The same tokenizer on its own, where only its time counts: best of three, four times the bound.
    const { refusalOf } = await import('./upgrade.ts')
    const headers = Object.fromEntries(
      withFields(['Sec-WebSocket-Protocol', list]).map(([name, value]) => [
        name.toLowerCase(),
        value,
      ]),
    )
    const rawHeaders = Object.entries(headers).flat()
    const request = { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers, rawHeaders }
    const terms = {
      subprotocols: ['callbox.v1'],
      requireSubprotocol: true,
      origins: { rule: 'same-host', secure: false, loopback: false },
    } as const
    const once = (): number => {
      const from = performance.now()
      expect(refusalOf(request as never, terms)?.status).toBe(400)
      return performance.now() - from
    }
    expect(Math.min(once(), once(), once())).toBeLessThan(20)
  })

  test.each<[string, string, Fields, number]>([
    ['POST', 'POST / HTTP/1.1', good, 405],
    ['HTTP/1.0', 'GET / HTTP/1.0', good, 400],
    ['version 12', 'GET / HTTP/1.1', withFields(['Sec-WebSocket-Version', '12']), 426],
    [
      'a key of 15 bytes',
      'GET / HTTP/1.1',
      withFields(['Sec-WebSocket-Key', Buffer.alloc(15).toString('base64')]),
      400,
    ],
    [
      'a key of 17 bytes',
      'GET / HTTP/1.1',
      withFields(['Sec-WebSocket-Key', Buffer.alloc(17).toString('base64')]),
      400,
    ],
    [
      'a key without its padding',
      'GET / HTTP/1.1',
      withFields(['Sec-WebSocket-Key', key.replaceAll('=', '')]),
      400,
    ],
    ['two keys', 'GET / HTTP/1.1', [...good, ['Sec-WebSocket-Key', key]], 400],
    ['two hosts', 'GET / HTTP/1.1', [...good, ['Host', 'localhost']], 400],
    ['h2c', 'GET / HTTP/1.1', withFields(['Upgrade', 'h2c']), 400],
    ['keep-alive', 'GET / HTTP/1.1', withFields(['Connection', 'keep-alive']), 400],
    ['a body', 'GET / HTTP/1.1', withFields(['Content-Length', '5']), 400],
    ['a chunked body', 'GET / HTTP/1.1', withFields(['Transfer-Encoding', 'chunked']), 400],
  ])('malformed: %s [threat H6]', async (_, first, fields, status) => {
    const world = await serve()
    expect(await ask(to(world.port), `${requestOf(fields, first)}hello`)).toBe(status)
    await isServed(world)
  })

  test.each([
    'permessage-deflate; client_max_window_bits=7',
    'permessage-deflate; client_max_window_bits=999',
    'permessage-deflate; server_max_window_bits',
  ])('an offer of %s is not taken [threat F14] [threat X11]', async (offer) => {
    const world = await serve()
    const peer = await RawPeer.connect({
      host,
      port: world.port,
      ws: { headers: { 'Sec-WebSocket-Extensions': offer } },
    })
    expect(peer.http).toMatch(/^HTTP\/1\.1 101 /)
    expect(peer.http).not.toMatch(/extensions/i)
    await peer.destroy()
  })
})

describe('Origin [threat H5]', () => {
  const ca = authority()
  const { cert, key: privateKey } = ca.issue({ name: 'server', hosts: ['app.example.com', host] })
  const app = 'app.example.com'
  const origin = (value: string): Fields => [...withFields(['Host', app]), ['Origin', value]]

  test.each<[string, Fields, number]>([
    ['its own', origin('https://app.example.com'), 101],
    ['its own in other letters', origin('HTTPS://APP.EXAMPLE.COM'), 101],
    ['listed', origin('https://admin.example.com:8443'), 101],
    ['another scheme', origin('http://app.example.com'), 403],
    ['a longer name in front', origin('https://evil-app.example.com'), 403],
    ['a longer name behind', origin('https://app.example.com.evil.com'), 403],
    ['null', origin('null'), 403],
    ['another port', origin('https://app.example.com:444'), 403],
    ['a trailing dot', origin('https://app.example.com.'), 403],
    ['a trailing slash', origin('https://app.example.com/'), 403],
    ['a user', origin('https://user@app.example.com'), 403],
    ['another host', origin('https://[::1]'), 403],
    ['empty', origin(''), 403],
    ['two', [...origin('https://app.example.com'), ['Origin', 'https://app.example.com']], 400],
    ['none, with a Cookie', [...withFields(['Host', app]), ['Cookie', 'a=1']], 403],
    ['none, no Cookie', withFields(['Host', app]), 101],
  ])('behind TLS: %s', async (_, fields, status) => {
    const world = await serve({
      cert,
      key: privateKey,
      origins: ['https://admin.example.com:8443'],
      // Its own name is not one of a loopback address.
      host: '0.0.0.0',
    })
    const socket = tls.connect({ host, port: world.port, ca: ca.cert, servername: app })
    await once(socket, 'secureConnect')
    expect(await ask(socket, requestOf(fields))).toBe(status)
  })

  test.each<[string, Fields, number]>([
    [
      'another name, its own origin',
      [...withFields(['Host', 'evil.example']), ['Origin', 'http://evil.example']],
      403,
    ],
    [
      'localhost',
      [...withFields(['Host', 'localhost:8080']), ['Origin', 'http://localhost:8080']],
      101,
    ],
    ['the address', withFields(['Host', '127.0.0.1:8080']), 101],
    ['the address of IPv6', withFields(['Host', '[::1]']), 101],
    ['a Cookie without an Origin', withFields(['Cookie', 'a=1']), 403],
  ])('at a loopback address: %s', async (_, fields, status) => {
    const world = await serve()
    expect(await ask(to(world.port), requestOf(fields))).toBe(status)
  })

  test('at another address a proxy may have ended TLS', async () => {
    const world = await serve({ host: '0.0.0.0' })
    expect(await ask(to(world.port), requestOf(origin('https://app.example.com')))).toBe(101)
    expect(await ask(to(world.port), requestOf(origin('http://app.example.com')))).toBe(101)
    expect(await ask(to(world.port), requestOf(origin('http://app.example.org')))).toBe(403)
  })
})

test('HELLO in one piece with the request, cut at every byte behind it [threat H7]', async () => {
  const world = await serve()
  const request = Buffer.from(requestOf(good))
  const bytes = Buffer.concat([request, webSocketFrame(rawHello(), { masked: true })])
  const welcomed = async (at: number): Promise<boolean> => {
    const socket = net.connect({ host, port: world.port, noDelay: true })
    socket.write(bytes.subarray(0, at))
    if (at < bytes.length) setImmediate(() => socket.write(bytes.subarray(at)))
    let answer = Buffer.alloc(0)
    for await (const chunk of socket) {
      answer = Buffer.concat([answer, chunk as Buffer])
      if (answer.includes('keepalive')) break
    }
    socket.destroy()
    return answer.includes('keepalive')
  }
  for (let at = request.length; at <= bytes.length; at += 1) expect(await welcomed(at)).toBe(true)
  for (let round = 0; round < sizes.handshakes; round += 1)
    expect(await welcomed(bytes.length)).toBe(true)
})

test.runIf(process.platform === 'linux')(
  'refused upgrades leave no descriptor, also of peers that never read [threat H12]',
  async () => {
    const world = await serve()
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    await isServed(world)
    const before = descriptors()
    const bad = requestOf(withFields(['Sec-WebSocket-Version', '8']))
    for (let round = 0; round < sizes.refusedUpgrades; round += 200) {
      const sockets = Array.from({ length: 200 }, (_, at) => {
        const socket = to(world.port)
        socket.on('error', () => undefined)
        socket.write(bad)
        if (at % 2 === 0) socket.pause()
        else socket.resume()
        return socket
      })
      // Those that never read are cut by the server, whose end they do not see.
      await Promise.all(
        sockets.filter((_, at) => at % 2 === 1).map((socket) => once(socket, 'close')),
      )
      for (const socket of sockets) socket.destroy()
    }
    await expect.poll(descriptors, { timeout: 8_000 }).toBeLessThanOrEqual(before)
    await isServed(world)
  },
)

test('a client that waits for 503 is told when to come again [threat X1]', async () => {
  const world = await serve({}, { maxConnections: 3, maxPreAuth: 2 })
  const idle = [to(world.port), to(world.port)]
  await Promise.all(idle.map((socket) => once(socket, 'connect')))
  await expect.poll(() => world.metrics.counter('limit_hits', 'maxPreAuth')).toBe(0)
  const third = to(world.port)
  let answer = ''
  third.on('data', (chunk) => (answer += String(chunk)))
  await once(third, 'close')
  expect(answer).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n/s)
  expect(world.metrics.counter('limit_hits', 'maxPreAuth')).toBe(1)
  for (const socket of idle) socket.destroy()
  await isServed(world)
})

describe('one budget for TLS, HTTP and HELLO [threat H4]', () => {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

  test('a link comes with the time that TLS and the upgrade have taken', async () => {
    const ca = authority()
    const issued = ca.issue({ name: 'server', hosts: [host] })
    const elapsed: (number | undefined)[] = []
    const listener = await ws({ host, port: 0, cert: issued.cert, key: issued.key }).listen!({
      onLink: (link, elapsedMs) => {
        elapsed.push(elapsedMs)
        link.abort()
      },
      onError: () => undefined,
      maxFrame: 66_560,
      handshakeMs: 5_000,
      maxConnections: 10,
    })
    closers.push(() => listener.close())
    const raw = to(listener.port)
    raw.on('error', () => undefined)
    await once(raw, 'connect')
    // From its accept on, whenever that was.
    await expect.poll(() => listener.arriving).toBe(1)
    const checkServerIdentity = (): undefined => undefined
    await pause(60)
    const socket = tls.connect({ socket: raw, ca: ca.cert, checkServerIdentity })
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    expect(listener.arriving).toBe(1)
    await pause(60)
    socket.write(requestOf(good))
    socket.resume()
    await once(socket, 'close')
    await expect.poll(() => listener.arriving).toBe(0)
    expect(elapsed).toHaveLength(1)
    expect(elapsed[0]).toBeGreaterThan(100)
  })

  test.each([
    ['nothing at all', ''],
    ['half a request', 'GET / HTTP/1.1\r\nHost: local'],
  ])('%s', async (_, bytes) => {
    const world = await serve({}, { handshakeMs: 150 })
    const socket = to(world.port)
    socket.on('error', () => undefined)
    socket.resume()
    socket.write(bytes)
    await once(socket, 'close')
    expect(world.metrics.counter('limit_hits', 'handshakeMs')).toBe(1)
    await isServed(world)
  })
})

describe('our client [threat H13]', () => {
  test('a header that ends the line is refused before dialing', () => {
    expect(() => ws('ws://here/', { headers: { x: 'a\r\nX: y' } })).toThrow(TypeError)
    expect(() => ws('ws://here/', { headers: { 'x\r\ny': 'a' } })).toThrow(TypeError)
  })

  test('a redirect is not followed', async () => {
    let requests = 0
    const stranger = net.createServer((socket) => {
      requests += 1
      socket.on('error', () => undefined)
      socket.resume()
      socket.end(`HTTP/1.1 302 Found\r\nLocation: http://${host}/\r\nContent-Length: 0\r\n\r\n`)
    })
    stranger.listen(0, host)
    await once(stranger, 'listening')
    closers.push(() => new Promise((resolve) => stranger.close(resolve)))
    const { port } = stranger.address() as net.AddressInfo
    const client = createClient({ ping }, ws(`ws://${host}:${port}/`), {
      limits: { reconnectMs: 600_000, maxReconnectMs: 600_000 },
    })
    const call = safe(client.ping.now(undefined, { timeoutMs: 200 }))
    expect((await call)[0]).toMatchObject({ processed: 'no' })
    expect(requests).toBe(1)
    await client.close()
  })
})
