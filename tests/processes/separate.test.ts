// A server in a process of its own that is killed, and one whose work is done.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createClient, safe } from '@callbox/client'
import type { Transport } from '@callbox/server'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { conf } from '@callbox/testing/conformance'

const host = '127.0.0.1'

interface Running {
  readonly child: ChildProcess
  readonly ports: { readonly tcp: number; readonly ws: number }
}

async function startServer(ports = { tcp: 0, ws: 0 }): Promise<Running> {
  const run = ['--conditions=@callbox/source', '--import', 'tsx', 'tests/processes/server.ts']
  const child = spawn(process.execPath, [...run, `${ports.tcp}`, `${ports.ws}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, ports: JSON.parse(line) as Running['ports'] }
}

async function stop({ child }: Running): Promise<number | null> {
  const exit = once(child, 'exit')
  child.stdin!.end()
  const [code] = (await exit) as [number | null]
  return code
}

const to: Readonly<Record<'tcp' | 'ws', (ports: Running['ports']) => Transport>> = {
  tcp: (ports) => tcp({ host, port: ports.tcp }),
  ws: (ports) => ws(`ws://${host}:${ports.ws}/`),
}

describe.each(['tcp', 'ws'] as const)('over %s', (name) => {
  let server: Running
  const client = createClient(
    { conf },
    { name, target: name, dial: (options) => to[name](server.ports).dial!(options) },
    { limits: 'internal' },
  )

  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => client.close())

  test('a server that is killed: what was sent is unknown, what follows waits for the next one', async () => {
    const stream = client.conf.hangStream({ id: 'killed', items: 1 })
    await stream.next()
    const sent = safe(client.conf.hang('killed too'))
    await client.conf.nothing()
    const { ports } = server
    const exit = once(server.child, 'exit')
    server.child.kill('SIGKILL')
    await exit
    const waiting = client.conf.values('after')
    server = await startServer(ports)
    // The next one does not know the session: only then it is over.
    expect((await sent)[0]).toMatchObject({ code: 'session_lost', processed: 'unknown' })
    await expect(stream.next()).rejects.toMatchObject({ code: 'session_lost', processed: 'yes' })
    expect(await waiting).toBe('after')
    expect(client.state).toBe('connected')
  })

  test('a server whose work is done exits by itself', async () => {
    await client.close()
    expect(await stop(server)).toBe(0)
  })
})
