// The program that lists the cases and runs them against echo ends from elsewhere.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'

const node = (program: string, ...args: readonly string[]): ReturnType<typeof spawn> =>
  spawn(process.execPath, ['--conditions=@callbox/source', '--import', 'tsx', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })

async function main(...args: readonly string[]): Promise<{ code: number; lines: string[] }> {
  const child = node('tests/websocket/main.ts', ...args)
  const exit = once(child, 'exit')
  const out = await text(child.stdout!)
  const [code] = (await exit) as [number]
  return { code, lines: out.trimEnd().split('\n') }
}

/** An echo server of npm `ws`, which keeps the rules of these families. */
async function withEcho(
  change: (message: string) => string,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  server.on('connection', (socket) => {
    socket.on('error', () => undefined)
    socket.on('message', (message, isBinary) =>
      socket.send(isBinary ? message : change((message as Buffer).toString()), {
        binary: isBinary,
      }),
    )
  })
  try {
    await run(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

test('--list names at least 400 cases of each role, with their sections', async () => {
  const { code, lines } = await main('--list')
  expect(code).toBe(0)
  for (const line of lines)
    expect(line).toMatch(/^\w+ {2}[\w-]+\.\d+ +(RFC \d+ [\d.]+|threats \w+) +\S/)
  for (const role of ['server', 'client'])
    expect(lines.filter((line) => line.startsWith(role)).length).toBeGreaterThanOrEqual(400)
})

test('--url: an echo server that keeps the rules passes, case by case', async () => {
  await withEcho(
    (message) => message,
    async (url) => {
      const { code, lines } = await main('--url', url, '--only', 'interleaved')
      expect(lines.slice(0, -1).filter((line) => !line.endsWith('passed'))).toEqual([])
      expect(lines.at(-1)).toMatch(/^server: 16 passed, 0 failed/)
      expect(code).toBe(0)
    },
  )
})

test('--url: one that changes what it is sent fails, and the table says where', async () => {
  await withEcho(
    (message) => message.toUpperCase(),
    async (url) => {
      const { code, lines } = await main('--url', url, '--only', 'interleaved', '--failures')
      expect(lines[0]).toMatch(/FAILED {2}a text of 41 42 \(2\), not of 61 62 \(2\)/)
      expect(lines.at(-1)).toMatch(/^server: 12 passed, 4 failed/)
      expect(code).toBe(1)
    },
  )
})

test('--port: an echo client that dials one path after the other passes', async () => {
  const child = node('tests/websocket/main.ts', '--port', '0', '--only', 'interleaved')
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout! })
  const [first] = (await once(lines, 'line')) as [string]
  const [, base] = /^dial (.*)\/1 to .*\/16$/.exec(first) ?? []
  const client = node('packages/transport-ws/echo/client.ts', '--base', base!, '--to', '16')
  const clientExit = once(client, 'exit')
  let last = ''
  for await (const line of lines) last = line
  expect(last).toMatch(/^client: 16 passed, 0 failed/)
  expect((await exit)[0]).toBe(0)
  expect((await clientExit)[0]).toBe(0)
})
