// The fault proxy as a process of its own, as a user starts it.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as net from 'node:net'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'

const program = 'packages/testing/bin/callbox-fault-proxy.mjs'
const host = '127.0.0.1'
const running: ChildProcess[] = []
const servers: net.Server[] = []
afterEach(async () => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

function start(args: readonly string[]): ChildProcess {
  const node = ['--conditions=@callbox/source', '--import', 'tsx', program, ...args]
  const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'pipe'] })
  running.push(child)
  return child
}

async function outcome(
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const child = start(args)
  let [out, err] = ['', '']
  child.stdout!.on('data', (chunk) => (out += String(chunk)))
  child.stderr!.on('data', (chunk) => (err += String(chunk)))
  const [code] = (await once(child, 'close')) as [number]
  return { code, out, err }
}

/** Gives every byte back. */
async function echo(): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  server.listen(0, host)
  await once(server, 'listening')
  servers.push(server)
  return (server.address() as net.AddressInfo).port
}

test('bytes go through up to the cut, and SIGTERM ends it', async () => {
  const child = start(['--to', `${host}:${await echo()}`, '--cut-at', '5', '--only', 'down'])
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
  const [, port] = /^listening on 127\.0\.0\.1:(\d+)$/.exec(line)!
  const socket = net.connect({ host, port: Number(port) })
  socket.write('0123456789')
  let back = ''
  for await (const chunk of socket) back += String(chunk)
  expect(back).toBe('01234')
  child.kill('SIGTERM')
  expect(await once(child, 'close')).toEqual([0, null])
})

test('--help tells every option', async () => {
  const { code, out, err } = await outcome(['--help'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  for (const option of [
    '--to',
    '--listen',
    '--delay-ms',
    '--throttle-bytes',
    '--stall-at',
    '--cut-at',
  ])
    expect(out).toContain(option)
})

test('arguments that cannot be are told, with exit code 2', async () => {
  const { code, err } = await outcome(['--to', '1', '--cut-at', 'x'])
  expect(code).toBe(2)
  expect(err).toContain("--cut-at wants a whole number, not 'x'")
  expect((await outcome([])).err).toContain('--to is missing')
})
