// nginx and HAProxy in front of a server, with the very configuration that docs/guide/proxies.md shows.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as https from 'node:https'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@callbox/client'
import { resolveLimits } from '@callbox/core/internal'
import { createServer, implement, silent, type Peer, type Server } from '@callbox/server'
import { callCases, conf, handlers, titleOf } from '@callbox/testing/conformance'
import { createFaultProxy, type FaultProxy } from '@callbox/testing/node'
import { ws } from '@callbox/transport-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { authority } from '../certificates.ts'
import { findProgram } from '../programs.ts'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
const page = readFileSync('docs/guide/proxies.md', 'utf8')
const ca = authority()
const { cert, key } = ca.issue({ name: 'proxy', hosts: [host, 'rpc.example.com'] })

/** What has to differ on a machine that is not the reader's. Each stands in the page once. */
interface Places {
  readonly folder: string
  readonly port: number
  readonly server: number
}

/** The code block of the page, with places of this machine. Throws Error where the page has changed. */
function configuration(language: string, changes: readonly (readonly [string, string])[]): string {
  const block = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1]
  if (block === undefined) throw new Error(`the page shows no ${language}`)
  return changes.reduce((text, [from, to]) => {
    if (text.split(from).length !== 2) throw new Error(`'${from}' is not in the page once`)
    return text.replace(from, to)
  }, block)
}

interface Proxy {
  readonly name: string
  /** The executable; undefined: skipped. */
  readonly program: string | undefined
  /** Writes its files and says how it is started. */
  readonly prepare: (places: Places) => readonly string[]
}

const nginx: Proxy = {
  name: 'nginx',
  program: findProgram({ name: 'nginx', debian: 'nginx', tests: 'nginx in front', check: ['-v'] }),
  prepare: ({ folder, port, server }) => {
    writeFileSync(join(folder, 'cert.pem'), cert)
    writeFileSync(join(folder, 'cert.key'), key)
    const site = configuration('nginx', [
      ['127.0.0.1:7000', `${host}:${server}`],
      ['listen 443 ssl', `listen ${host}:${port} ssl`],
      ['/etc/ssl/rpc.example.com.pem', join(folder, 'cert.pem')],
      ['/etc/ssl/rpc.example.com.key', join(folder, 'cert.key')],
    ])
    writeFileSync(join(folder, 'site.conf'), site)
    // What a distribution's own nginx.conf is for; all it writes stays in the folder.
    const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const temporary = kinds.map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
    const main = join(folder, 'nginx.conf')
    writeFileSync(
      main,
      `daemon off;\nmaster_process off;\npid ${join(folder, 'pid')};\nevents {}\n` +
        `http {\naccess_log off;\n${temporary.join('\n')}\ninclude ${join(folder, 'site.conf')};\n}\n`,
    )
    return ['-p', folder, '-c', main, '-e', 'stderr']
  },
}

const haproxy: Proxy = {
  name: 'HAProxy',
  program: findProgram({
    name: 'haproxy',
    debian: 'haproxy',
    tests: 'HAProxy in front',
    check: ['-v'],
  }),
  prepare: ({ folder, port, server }) => {
    writeFileSync(join(folder, 'both.pem'), cert + key)
    const text = configuration('ini', [
      ['127.0.0.1:7000', `${host}:${server}`],
      ['bind :443', `bind ${host}:${port}`],
      ['/etc/ssl/rpc.example.com.pem', join(folder, 'both.pem')],
    ])
    const file = join(folder, 'haproxy.cfg')
    writeFileSync(file, text)
    return ['-db', '-q', '-f', file]
  },
}

interface Running {
  readonly child: ChildProcess
  readonly port: number
  readonly folder: string
}

/** The port is chosen before the proxy takes it: who is outrun by another process tries again. */
async function start(proxy: Proxy, server: number): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'callbox-proxy-'))
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const port = await freePort()
    const args = proxy.prepare({ folder, port, server })
    const child = spawn(proxy.program!, [...args], { stdio: ['ignore', 'ignore', 'inherit'] })
    if (await isUp(child, port)) return { child, port, folder }
    await kill(child)
  }
  rmSync(folder, { recursive: true })
  throw new Error(`${proxy.name} does not start`)
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function isUp(child: ChildProcess, port: number): Promise<boolean> {
  for (let tries = 0; tries < 500 && child.exitCode === null; tries += 1) {
    const socket = net.connect(port, host)
    const answered = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (answered) return true
    await sleep(20)
  }
  return false
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

async function stop({ child, folder }: Running): Promise<void> {
  await kill(child)
  rmSync(folder, { recursive: true })
}

/** The server behind the proxy, as the page starts it. */
function behind(peers: Peer[]): Server {
  return createServer({
    services: [implement(conf, handlers())],
    authenticate: ({ peer }) => {
      peers.push(peer)
      return {}
    },
    logger: silent,
    limits: { preset: 'internal', ...unhurried },
  })
}

const listening = (port: number): ReturnType<typeof ws> =>
  ws({ host, port, trustProxy: 1, origins: ['https://rpc.example.com'] })

/** The status of the answer to an upgrade that a page asks for. */
function statusFor(port: number, origin: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = https.get({
      host,
      port,
      ca: ca.cert,
      agent: false,
      headers: {
        'Host': 'rpc.example.com',
        'Origin': origin,
        'Upgrade': 'websocket',
        'Connection': 'Upgrade',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol': 'callbox.v1',
      },
    })
    request.on('upgrade', (_, socket) => {
      socket.destroy()
      resolve(101)
    })
    request.on('response', (answer) => {
      answer.destroy()
      resolve(answer.statusCode ?? 0)
    })
    request.on('error', reject)
  })
}

test('the page shows what a server behind a proxy is started with', () => {
  expect(page).toContain("trustProxy: 1, origins: ['https://rpc.example.com']")
})

test('the page is right about pings, and its timeouts are longer than they need', () => {
  const internet = resolveLimits('internet')
  const internal = resolveLimits('internal')
  expect(page).toContain(`pings after ${internet.pingIntervalMs / 1_000} seconds of silence`)
  expect(page).toContain(`${internal.pingIntervalMs / 1_000} with \`limits: 'internal'\``)
  expect(page).toContain(`another ${internet.pingTimeoutMs / 1_000}`)
  const timeouts = [...page.matchAll(/(?:_timeout|timeout (?:client|server|tunnel)) (\d+)s/g)]
  expect(timeouts).toHaveLength(5)
  for (const [, seconds] of timeouts)
    expect(Number(seconds) * 1_000).toBeGreaterThan(
      internet.pingIntervalMs + internet.pingTimeoutMs,
    )
})

describe.each([nginx, haproxy])('behind $name', (proxy) => {
  describe.skipIf(proxy.program === undefined)('as documented', () => {
    const peers: Peer[] = []
    let server = behind(peers)
    let serverPort = 0
    let running: Running
    let line: FaultProxy
    let dials = 0
    const client = createClient(
      { conf },
      {
        name: proxy.name,
        target: proxy.name,
        dial: (options) => {
          dials += 1
          return ws(`wss://${host}:${line.port}/`, { ca: ca.cert }).dial!(options)
        },
      },
      { limits: 'internal' },
    )

    beforeAll(async () => {
      serverPort = (await server.listen(listening(0))).port!
      running = await start(proxy, serverPort)
      line = await createFaultProxy({ target: { host, port: running.port } })
    })

    afterAll(async () => {
      await client.close()
      await line.close()
      await server.close({ graceMs: 0 })
      await stop(running)
    })

    test.each(callCases.map((one) => ({ title: titleOf(one), one })))('$title', ({ one }) =>
      expect(one.run(client.conf, { amount: 'light' })).resolves.toBeUndefined(),
    )

    test('the server knows the client by the address that the proxy saw', async () => {
      await client.conf.nothing()
      expect(peers.at(-1)).toMatchObject({ transport: 'ws', remoteAddress: host })
    })

    test('a page of the right origin is let in, one of another is not', async () => {
      expect(await statusFor(running.port, 'https://rpc.example.com')).toBe(101)
      expect(await statusFor(running.port, 'https://evil.example.com')).toBe(403)
    })

    test('a line that is cut: the client connects again, and a stream goes on where it was', async () => {
      const both = client.conf.echo()
      await both.send('before')
      expect((await both.next()).value).toBe('before!')
      for (const cut of ['reset', 'cut'] as const) {
        const before = dials
        line[cut]()
        await both.send(cut)
        expect((await both.next()).value).toBe(`${cut}!`)
        expect(await client.conf.values(cut)).toBe(cut)
        expect(dials).toBeGreaterThan(before)
      }
      both.end()
      expect((await both.next()).done).toBe(true)
    })

    test('a server that goes and comes back: what is called meanwhile waits for it', async () => {
      await client.conf.nothing()
      await server.close({ graceMs: 0 })
      // Nobody is there now, and the proxy says so.
      expect([502, 503]).toContain(await statusFor(running.port, 'https://rpc.example.com'))
      const waiting = client.conf.values('after')
      server = behind(peers)
      await server.listen(listening(serverPort))
      expect(await waiting).toBe('after')
      expect(await client.conf.values('still')).toBe('still')
    })

    test('a proxy that is started anew: the client connects again, and a stream goes on', async () => {
      const both = client.conf.echo()
      await both.send('before')
      expect((await both.next()).value).toBe('before!')
      await stop(running)
      const next = both.next()
      // Once it knows that there is no link, `send` waits for one.
      const sent = both.send('meanwhile')
      running = await start(proxy, serverPort)
      await line.close()
      line = await createFaultProxy({ target: { host, port: running.port } })
      await sent
      expect((await next).value).toBe('meanwhile!')
      both.end()
      expect((await both.next()).done).toBe(true)
    })
  })
})
