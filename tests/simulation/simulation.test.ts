// Seeds of the simulator, by its command; those that have found something, for ever.
//   in  -> `sizes.simulationSeeds`; `seeds.json`
//   out -> a failed test names its seeds, and how to look at them

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { sizes, sizesName } from '../sizes.ts'
import { runScenario } from './run.ts'
import { scenarioOf, type Scenario } from './scenario.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Exit code and output of the command. */
async function simulate(...args: string[]): Promise<{ code: number; output: string }> {
  try {
    const run = ['scripts/simulate.mjs', ...args]
    const options = { cwd: root, maxBuffer: 64 * 1024 * 1024 }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, run, options)
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, output: stdout + stderr }
  }
}

test(
  `${sizes.simulationSeeds} seeds of the whole stack break no invariant`,
  { timeout: 60_000 + sizes.simulationSeeds * 500 },
  async () => {
    // The same ones each time, but at night.
    const from = sizesName === 'nightly' ? Date.now() % 2 ** 31 : 1
    const seeds = String(sizes.simulationSeeds)
    const { code, output } = await simulate('--seeds', seeds, '--from', String(from), '--jobs', '2')
    expect(output).toContain(`${seeds} seeds in`)
    expect(output).not.toContain('FAILED')
    expect(code).toBe(0)
  },
)

test('the same seed is the same run, event by event, in any process', async () => {
  for (const seed of [3, 12, 25, 38]) {
    const first = await runScenario(scenarioOf(seed))
    const second = await runScenario(scenarioOf(seed), { chart: true })
    expect(second.hash, `seed ${seed}`).toBe(first.hash)
    expect(second.chart).toContain('HELLO on line 1')
  }
  const { hash } = await runScenario(scenarioOf(3))
  const { code, output } = await simulate('--seed', '3', '--chart')
  expect(output).toContain(`event hash ${hash}`)
  expect(output).toContain('HELLO on line 1')
  expect(code).toBe(0)
})

test('another seed is another run', async () => {
  const hashes = [(await runScenario(scenarioOf(1))).hash, (await runScenario(scenarioOf(2))).hash]
  expect(new Set(hashes).size).toBe(2)
})

interface Saved {
  readonly seed: number
  readonly found: string
  readonly scenario: Scenario
}

const saved = JSON.parse(
  readFileSync(new URL('seeds.json', import.meta.url), 'utf8'),
) as readonly Saved[]

test('there are saved seeds', () => {
  expect(saved.length).toBeGreaterThanOrEqual(5)
})

for (const { seed, found, scenario } of saved)
  test(`saved: seed ${seed}, ${found}`, async () => {
    const { violations } = await runScenario(scenario)
    expect(violations).toEqual([])
    expect((await runScenario(scenarioOf(seed))).violations).toEqual([])
  })

test('the command says how it is used', async () => {
  const { code, output } = await simulate('--help')
  expect(code).toBe(0)
  expect(output).toContain('--seeds N')
})
