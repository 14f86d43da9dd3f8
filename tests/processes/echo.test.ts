// The echo ends as the programs that outside test suites start.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { deflate } from '@callbox/transport-ws/deflate'
import { describe, expect, test } from 'vitest'
import { atEnd, connect, serve, stranger, type Seen } from '../raw-websocket.ts'

const folder = join(import.meta.dirname, '../../packages/transport-ws')
const posix = process.platform !== 'win32'

interface Program {
  readonly child: ChildProcess
  /** What it printed, both streams. */
  readonly printed: () => string
  /** Settles with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>
}

function start(file: string, args: readonly string[]): Program {
  return watch(
    spawn(process.execPath, ['--conditions=@callbox/source', '--import', 'tsx', file, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
}

function watch(child: ChildProcess): Program {
  let text = ''
  child.stdout!.on('data', (chunk) => (text += String(chunk)))
  child.stderr!.on('data', (chunk) => (text += String(chunk)))
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => {
    return (code ?? signal) as number | string | null
  })
  atEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, printed: () => text, ended }
}

/** Waits for the line that says where, and answers the port. */
async function portOf({ child, printed, ended }: Program): Promise<number> {
  for (;;) {
    const port = /listening on ws:\/\/127\.0\.0\.1:(\d+)\n/.exec(printed())?.[1]
    if (port !== undefined) return Number(port)
    const gone = await Promise.race([once(child.stdout!, 'data').then(() => false), ended])
    if (gone !== false) throw new Error(`ended with ${gone}: ${printed()}`)
  }
}

async function echoes(seen: Seen): Promise<void> {
  const sent = ['text', new Uint8Array(200_000).fill(7), 'ä'.repeat(100_000)]
  for (const message of sent) seen.ws.send(message)
  await seen.until(() => seen.messages.length === sent.length)
  expect(seen.messages.map(({ length }) => length)).toEqual(sent.map(({ length }) => length))
}

describe('the server', () => {
  test.each(posix ? (['SIGINT', 'SIGTERM'] as const) : [])(
    'sends everything back, and closes with 1001 on %s',
    async (signal) => {
      const program = start('echo/server.ts', ['--port', '0'])
      const seen = await connect(await portOf(program), {
        extensions: [deflate()],
        maxMessage: 1024 * 1024,
      })
      expect(seen.ws.extensions).toContain('permessage-deflate')
      await echoes(seen)
      program.child.kill(signal)
      expect(await seen.closed).toMatchObject({ code: 1001, wasClean: true })
      expect(await program.ended).toBe(0)
    },
  )

  test('keeps to its options', async () => {
    const program = start('echo/server.ts', [
      '--max-message=10',
      '--subprotocol=one',
      '--subprotocol=two',
      '--allowed-origin=https://good.example',
      '--no-deflate',
    ])
    const port = await portOf(program)
    const headers = { Origin: 'https://good.example' }
    const seen = await connect(port, {
      headers,
      subprotocols: ['zero', 'two'],
      extensions: [deflate()],
    })
    expect([seen.ws.protocol, seen.ws.extensions]).toEqual(['two', ''])
    seen.ws.send('0123456789')
    seen.ws.send('0123456789+')
    expect(await seen.closed).toMatchObject({ code: 1009 })
    expect(seen.messages).toEqual(['0123456789'])
    await expect(connect(port, { headers: { Origin: 'https://bad.example' } })).rejects.toThrow(
      '403',
    )
  })

  test('takes 1,000 connections, and refuses one more with 503', async () => {
    const port = await portOf(start('echo/server.ts', []))
    const all = await Promise.all(Array.from({ length: 1_000 }, () => connect(port)))
    await expect(connect(port)).rejects.toThrow('503')
    all[0]!.ws.abort()
    await all[0]!.closed
    await expect
      .poll(() =>
        connect(port).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
  })

  test('a request that is no upgrade gets an answer', async () => {
    const port = await portOf(start('echo/server.ts', []))
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    expect([answer.status, answer.headers.get('upgrade')]).toEqual([426, 'websocket'])
  })

  test('tells what it takes, and what it does not', async () => {
    const help = start('echo/server.ts', ['--', '--help'])
    expect(await help.ended).toBe(0)
    expect(help.printed()).toContain('--max-message BYTES')
    for (const args of [['--bogus'], ['--port', '65536'], ['--max-message', '1e3'], ['rest']]) {
      const wrong = start('echo/server.ts', args)
      expect(await wrong.ended).toBe(2)
      expect(wrong.printed()).not.toBe('')
    }
  })
})

describe.runIf(posix)('as scripts of the package (processes are ended by group: POSIX)', () => {
  test.each([
    ['with', ['--', '--port', '0']],
    ['without', ['--port', '0']],
  ])('%s the two dashes', async (_, args) => {
    const pnpm = join(folder, '../../node_modules/.bin/pnpm')
    const child = spawn(pnpm, ['--filter', '@callbox/transport-ws', 'echo', ...args], {
      cwd: join(folder, '../..'),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const program = watch(child)
    atEnd(() => {
      // Whatever pnpm started.
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL')
    })
    const seen = await connect(await portOf(program), { maxMessage: 1024 * 1024 })
    await echoes(seen)
    // As a terminal does it.
    process.kill(-child.pid!, 'SIGINT')
    expect(await seen.closed).toMatchObject({ code: 1001 })
    await program.ended
  })
})

describe('the client', () => {
  test('one connection to each URL, every message back, ends when all are closed', async () => {
    const { port, sockets } = await serve({ maxMessage: 1024 * 1024, extensions: [deflate()] })
    const program = start('echo/client.ts', [
      '--base',
      `ws://127.0.0.1:${port}/case`,
      '--from=3',
      '--to=5',
      '--parallel=3',
    ])
    while (sockets.length < 3) await new Promise((resolve) => setTimeout(resolve, 5))
    for (const seen of sockets) {
      expect(seen.ws.extensions).toContain('permessage-deflate')
      await echoes(seen)
      void seen.ws.close()
    }
    expect(await program.ended).toBe(0)
  })

  test('which URLs', async () => {
    const { port, requests } = await stranger((_, socket) => {
      socket.end('HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n')
    })
    const base = `ws://127.0.0.1:${port}`
    const many = start('echo/client.ts', ['--', '--base', `${base}/`, '--to', '12'])
    expect(await many.ended).toBe(0)
    const paths = requests.map((request) => request.split(' ')[1])
    expect(paths.toSorted((a, b) => Number(a?.slice(1)) - Number(b?.slice(1)))).toEqual(
      Array.from({ length: 12 }, (_, index) => `/${index + 1}`),
    )
    expect(many.printed()).toContain('/12: the server answered 404 instead of 101\n')
    const one = start('echo/client.ts', ['--url', base])
    expect(await one.ended).toBe(1)
  })

  test('needs to know where', async () => {
    for (const args of [[], ['--base', 'ws://here'], ['--url', 'ws://a', '--base', 'ws://b']])
      expect(await start('echo/client.ts', args).ended).toBe(2)
  })
})
