// A server with few descriptors: it refuses in time, tells so, and serves again once others have left.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createClient } from '@callbox/client'
import { RawPeer } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { conf } from '@callbox/testing/conformance'

const host = '127.0.0.1'
const descriptors = 64
const strangers = 120

test.runIf(process.platform === 'linux')(
  '120 connections at 64 descriptors: refused and counted, none lost without a word [threat X2]',
  async () => {
    // One file: loading the sources one by one takes more descriptors than that.
    const folder = mkdtempSync(join(tmpdir(), 'callbox-'))
    const program = join(folder, 'server.mjs')
    await build({
      entryPoints: ['tests/processes/server.ts'],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['@callbox/source'],
      logLevel: 'silent',
    })
    const limited = `ulimit -n ${descriptors} && exec "$0" "$@"`
    const child = spawn('sh', ['-c', limited, process.execPath, program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: child.stdout })
    const [line] = (await once(lines, 'line')) as [string]
    const { tcp: port } = JSON.parse(line) as { tcp: number }
    const peers = await Promise.all(
      Array.from({ length: strangers }, async () => {
        const peer = await RawPeer.connect({ host, port }).catch(() => undefined)
        if (peer === undefined) return undefined
        // Welcomed, or reset: either is an answer.
        const answered = peer.handshake().then(
          () => true,
          () => false,
        )
        return (await answered) ? peer : undefined
      }),
    )
    const living = peers.filter((peer) => peer !== undefined)
    expect(living.length).toBeGreaterThan(0)
    expect(living.length).toBeLessThan(0.8 * descriptors)
    child.stdin.write('limits\n')
    const [counted] = (await once(lines, 'line')) as [string]
    expect(JSON.parse(counted)).toMatchObject({
      connections: living.length,
      hits: { maxConnections: strangers - living.length },
    })
    await Promise.all(living.map((peer) => peer.destroy()))
    const client = createClient({ conf }, tcp({ host, port }), {
      limits: { reconnectMs: 20, maxReconnectMs: 20 },
    })
    await client.conf.nothing()
    await client.close()
    const exit = once(child, 'exit')
    child.stdin.end()
    expect(await exit).toEqual([0, null])
    rmSync(folder, { recursive: true })
  },
)
