// Every kind of call under every kind of fault for a while: no wrong answer, nothing grows, nothing is left.

import { expect, test } from 'vitest'
import { faultSizes } from '../sizes.ts'
import { Program } from './fleet.ts'
import type { SoakReport } from './soak-report.ts'

const MiB = 1024 * 1024

test(
  `soak under faults: no wrong answer, no growth, and the process exits by itself [case C130]`,
  { timeout: 240_000 + 2 * faultSizes.soakMs },
  async () => {
    const { soakMs: ms } = faultSizes
    const program = new Program('soak.ts', { ms, faultMs: Math.min(5_000, ms / 12) })
    try {
      const report = await program.next<SoakReport>()
      process.stdout.write(`soak of ${ms / 1000} s: ${JSON.stringify(report)}\n`)
      // Nobody ends it: what it has left open would keep it alive.
      expect(await program.exit()).toBe(0)
      const { quarter, end } = report
      expect([report.wrong, report.lost]).toEqual([0, 0])
      expect(report.resumed).toBeGreaterThan(0)
      expect(report.calls).toBeGreaterThan(100)
      expect(end.heapUsed - quarter.heapUsed).toBeLessThan(2 * MiB)
      expect({ ...end, heapUsed: 0 }).toEqual({ ...quarter, heapUsed: 0 })
    } finally {
      await program.exit('SIGKILL')
    }
  },
)
