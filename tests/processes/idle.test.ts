// Many sessions with nothing to do: all live on, and what one costs is printed.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { faultSizes } from '../sizes.ts'
import { descriptorLimit, Program, type FleetReport, type Memory } from './fleet.ts'

test(
  `idle sessions: none is lost [case C129]`,
  { timeout: 180_000 + faultSizes.idleMs },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'callbox-'))
    const limit = descriptorLimit()
    const sessions = Math.min(faultSizes.idleSessions, Math.floor(limit * 0.8))
    const limits = { maxConnections: 2 * sessions }
    const server = new Program('fleet-server.ts', { port: 0, log: join(folder, 'ran'), limits })
    const programs = [server]
    try {
      const { port } = await server.next<{ port: number }>()
      const before = await server.ask<Memory>('memory')
      const fleet = new Program('fleet-clients.ts', {
        ports: [port],
        clients: sessions,
        everyMs: 0,
      })
      programs.push(fleet)
      await fleet.next()
      const full = await server.ask<Memory>('memory')
      await new Promise((resolve) => setTimeout(resolve, faultSizes.idleMs))
      const after = await server.ask<Memory>('memory')
      expect([full.connections, after.connections]).toEqual([sessions, sessions])
      const report = await fleet.ask<FleetReport>('stop')
      expect(report).toMatchObject({ resumed: 0, lost: 0, failed: {} })
      expect(await fleet.exit()).toBe(0)
      const perSession = (of: keyof Memory): number => (after[of] - before[of]) / sessions / 1024
      process.stdout.write(
        `${sessions} idle sessions for ${faultSizes.idleMs / 1000} s (descriptor limit ${limit}): ` +
          `${perSession('heapUsed').toFixed(1)} KiB of heap, ` +
          `${perSession('rss').toFixed(1)} KiB of memory each\n`,
      )
      // Far above what was seen: a buffer for each connection would be found.
      expect(perSession('heapUsed')).toBeLessThan(64)
    } finally {
      await Promise.all(programs.map((program) => program.exit('SIGKILL')))
      await rm(folder, { recursive: true })
    }
  },
)
