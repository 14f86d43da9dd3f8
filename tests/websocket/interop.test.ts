// Messages to and from WebSockets that others wrote: npm `ws`, Python's `websockets` and Bun in both
// roles, undici and Chromium as clients. Text and binary, small and 1 MiB, with and without compression.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text as textOf } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import { deflate } from '@callbox/transport-ws/deflate'
import { connectWebSocket, type RawWebSocket } from '@callbox/transport-ws/raw'
import { chromium } from 'playwright'
import { WebSocket as UndiciWebSocket } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { browserRequired, chromiumArgs, findChromium } from '../chromium.ts'
import { findBun, findProgram } from '../programs.ts'
import { startServer, type SubjectServer } from './subject.ts'

const limit = 64 * 1024 * 1024
const mebibyte = 1024 * 1024

/** Not so regular that compression makes nothing of it. */
function bytes(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 7 + Math.floor(at / 251)) & 0xff)
}

const messages: readonly (readonly [name: string, message: string | Uint8Array])[] = [
  ['an empty text', ''],
  ['a small text', 'Callbox é € 😀'],
  ['a text of 1 MiB', 'Callbox é € 😀 '.repeat(mebibyte / 20).slice(0, mebibyte)],
  ['an empty binary', bytes(0)],
  ['a small binary', bytes(200)],
  ['a binary of 1 MiB', bytes(mebibyte)],
]

const settings = [
  { setting: 'deflate', profile: 'echo' },
  { setting: 'plain', profile: 'plain' },
] as const

/** Our own ends say what was agreed on. */
const agreed = { deflate: /^permessage-deflate/, plain: /^$/ } as const

function same(got: unknown, sent: string | Uint8Array): boolean {
  if (typeof sent === 'string' || typeof got === 'string') return got === sent
  return Buffer.compare(Buffer.from(got as Uint8Array), sent) === 0
}

const servers = new Map<string, SubjectServer>()
beforeAll(async () => {
  for (const { profile } of settings) servers.set(profile, await startServer(profile))
})
afterAll(async () => {
  for (const server of servers.values()) await server.close()
})
const urlOf = (profile: string): string => `ws://127.0.0.1:${servers.get(profile)!.port}/`

/** Our client: each message is awaited before the next. */
class Client {
  readonly socket: RawWebSocket
  private readonly closed: Promise<unknown>
  private take: (message: string | Uint8Array) => void = () => undefined

  constructor(socket: RawWebSocket) {
    this.socket = socket
    this.closed = new Promise((resolve) => {
      socket.open({ onMessage: (message) => this.take(message), onClose: resolve })
    })
  }

  static async connect(port: number, setting: keyof typeof agreed): Promise<Client> {
    const extensions = setting === 'deflate' ? [deflate({ threshold: 0 })] : []
    const url = `ws://127.0.0.1:${port}/`
    return new Client(await connectWebSocket(url, { maxMessage: limit, extensions }))
  }

  async echo(message: string | Uint8Array): Promise<string | Uint8Array> {
    const answer = new Promise<string | Uint8Array>((resolve) => {
      this.take = resolve
    })
    this.socket.send(message)
    return answer
  }

  async close(): Promise<unknown> {
    await this.socket.close(1000)
    return this.closed
  }
}

async function echoEverything(client: Client): Promise<void> {
  const wrong: string[] = []
  for (const [name, message] of messages)
    if (!same(await client.echo(message), message)) wrong.push(name)
  expect(wrong).toEqual([])
  expect(await client.close()).toMatchObject({ code: 1000, wasClean: true })
}

describe.each(settings)('npm ws, $setting', ({ setting, profile }) => {
  const perMessageDeflate = setting === 'deflate' ? { threshold: 0 } : false

  test('as client', async () => {
    const socket = new WebSocket(urlOf(profile), { perMessageDeflate, maxPayload: limit })
    await once(socket, 'open')
    expect(socket.extensions).toMatch(agreed[setting])
    const wrong: string[] = []
    for (const [name, message] of messages) {
      socket.send(message)
      const [answer, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
      if (!same(isBinary ? answer : answer.toString(), message)) wrong.push(name)
    }
    expect(wrong).toEqual([])
    socket.ping('callbox')
    expect(String((await once(socket, 'pong'))[0])).toBe('callbox')
    socket.close(1000, 'bye')
    expect((await once(socket, 'close'))[0]).toBe(1000)
  })

  test('as server', async () => {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      perMessageDeflate,
      maxPayload: limit,
    })
    await once(server, 'listening')
    server.on('connection', (socket) =>
      socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary })),
    )
    const client = await Client.connect((server.address() as AddressInfo).port, setting)
    expect(client.socket.extensions).toMatch(agreed[setting])
    await echoEverything(client)
    await new Promise((resolve) => server.close(resolve))
  })
})

describe.each(settings)('undici, $setting', ({ setting, profile }) => {
  test('as client', async () => {
    const socket = new UndiciWebSocket(urlOf(profile))
    socket.binaryType = 'arraybuffer'
    await once(socket, 'open')
    expect(socket.extensions).toMatch(agreed[setting])
    const wrong: string[] = []
    for (const [name, message] of messages) {
      const answer = once(socket, 'message')
      socket.send(message)
      const [{ data }] = (await answer) as [{ data: string | ArrayBuffer }]
      const got = typeof data === 'string' ? data : new Uint8Array(data)
      if (!same(got, message)) wrong.push(name)
    }
    expect(wrong).toEqual([])
    const closed = once(socket, 'close')
    socket.close(1000, 'bye')
    expect((await closed)[0]).toMatchObject({ code: 1000, wasClean: true })
  })
})

const python = findProgram({
  name: 'python3',
  debian: 'python3-websockets',
  tests: "interoperation with Python's websockets",
  check: ['-c', 'import websockets'],
})
const script = 'tests/websocket/peers/echo.py'

describe.skipIf(python === undefined).each(settings)(
  'Python websockets, $setting',
  ({ setting, profile }) => {
    const run = (...args: readonly string[]): ChildProcess =>
      spawn(python!, [script, ...args, setting], { stdio: ['pipe', 'pipe', 'inherit'] })

    test('as client', async () => {
      const child = run('call', urlOf(profile))
      const exit = once(child, 'exit')
      const sizes = [0, 2, 200, mebibyte]
      child.stdin!.end(
        JSON.stringify(['text', 'binary'].flatMap((kind) => sizes.map((size) => [kind, size]))),
      )
      expect((await textOf(child.stdout!)).trim()).toMatch(agreed[setting])
      expect((await exit)[0]).toBe(0)
    })

    test('as server', async () => {
      const child = run('serve')
      const exit = once(child, 'exit')
      const [port] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
      const client = await Client.connect(Number(port), setting)
      expect(client.socket.extensions).toMatch(agreed[setting])
      await echoEverything(client)
      child.stdin!.end()
      expect((await exit)[0]).toBe(0)
    })
  },
)

const bun = findBun('interoperation with Bun')

describe.skipIf(bun === undefined).each(settings)('Bun, $setting', ({ setting, profile }) => {
  const run = (...args: readonly string[]): ChildProcess =>
    spawn(bun!, ['tests/websocket/peers/bun.js', ...args, setting], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })

  test('as client', async () => {
    const child = run('call', urlOf(profile))
    const exit = once(child, 'exit')
    child.stdin!.end(JSON.stringify([0, 2, 200, mebibyte]))
    expect((await textOf(child.stdout!)).trim()).toMatch(agreed[setting])
    expect((await exit)[0]).toBe(0)
  })

  test('as server', async () => {
    const child = run('serve')
    const exit = once(child, 'exit')
    const [port] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
    const client = await Client.connect(Number(port), setting)
    expect(client.socket.extensions).toMatch(agreed[setting])
    await echoEverything(client)
    child.stdin!.end()
    expect((await exit)[0]).toBe(0)
  })
})

const executablePath = findChromium()
if (executablePath === undefined) {
  if (browserRequired) throw new Error('no Chromium found (CI is set, so this is a failure)')
  console.warn('skipped, no Chromium found: interoperation with Chromium as client')
}

describe.skipIf(executablePath === undefined)('Chromium', () => {
  test.each(settings)('as client, $setting', async ({ setting, profile }) => {
    // No page that could be asked for its Origin: about:blank has none that anybody would let in.
    const server = await startServer(profile === 'echo' ? 'anyOriginDeflate' : 'anyOrigin')
    const browser = await chromium.launch({
      executablePath: executablePath!,
      args: [...chromiumArgs],
    })
    try {
      const page = await browser.newPage()
      const result = await page.evaluate(inChromium, {
        url: `ws://127.0.0.1:${server.port}/`,
        sizes: [0, 200, mebibyte],
      })
      expect(result.extensions).toMatch(agreed[setting])
      expect(result).toMatchObject({ wrong: [], right: 6, code: 1000, wasClean: true })
    } finally {
      await browser.close()
      await server.close()
    }
  })
})

interface InChromium {
  readonly extensions: string
  readonly right: number
  readonly wrong: readonly string[]
  readonly code: number
  readonly wasClean: boolean
}

/** Runs in the page: it may name nothing outside of itself. */
async function inChromium(task: { url: string; sizes: readonly number[] }): Promise<InChromium> {
  const socket = new globalThis.WebSocket(task.url)
  socket.binaryType = 'arraybuffer'
  const next = <E extends Event>(name: string): Promise<E> =>
    new Promise((resolve, reject) => {
      socket.addEventListener(name, (event) => resolve(event as E), { once: true })
      socket.addEventListener('error', () => reject(new Error('the WebSocket failed')), {
        once: true,
      })
    })
  await next('open')
  const wrong: string[] = []
  let right = 0
  for (const size of task.sizes) {
    const text = 'Callbox é € 😀 '.repeat(size).slice(0, size)
    const binary = Uint8Array.from(
      { length: size },
      (_, at) => (at * 7 + Math.floor(at / 251)) & 0xff,
    )
    for (const message of [text, binary]) {
      const answer = next<MessageEvent<string | ArrayBuffer>>('message')
      socket.send(message)
      const { data } = await answer
      const got = typeof data === 'string' ? data : new Uint8Array(data)
      const isSame =
        typeof got === 'string'
          ? got === message
          : typeof message !== 'string' &&
            got.length === size &&
            got.every((byte, at) => byte === message[at])
      if (isSame) right += 1
      else wrong.push(`${typeof message} of ${size}`)
    }
  }
  const closed = next<CloseEvent>('close')
  socket.close(1000, 'bye')
  const { code, wasClean } = await closed
  return { extensions: socket.extensions, right, wrong, code, wasClean }
}
