// What `npm run simulate` runs in each of its processes: seeds, one after the other.
//   in  -> a job, as JSON in the first argument
//   out -> one line of JSON for each thing to tell

import { runScenario } from './run.ts'
import { masked, noMask, scenarioOf, type Mask } from './scenario.ts'
import { shrinkScenario } from './shrinking.ts'

interface Job {
  readonly from: number
  readonly seeds: number
  /** Every so many seeds is this process's. */
  readonly step: number
  readonly honest?: boolean
  readonly small?: boolean
  readonly chart?: boolean
  readonly mask?: Mask
  /** Ends at the first seed that fails, and tells it. */
  readonly firstOnly?: boolean
  readonly shrink?: boolean
}

const mostShrunk = 2
const tellEveryMs = 1_000

// Nobody reads the stacks of expected errors, and they cost a third of the time.
Error.stackTraceLimit = 0

await work(JSON.parse(process.argv[2] ?? '{}') as Job)

async function work(job: Job): Promise<void> {
  const sum = { done: 0, events: 0, resumes: 0, calls: 0, virtualMs: 0, failed: 0 }
  let toldMs = performance.now()
  for (let seed = job.from; seed < job.from + job.seeds; seed += job.step) {
    const scenario = masked(scenarioOf(seed, job), job.mask ?? noMask)
    const { violations, hash, events, resumes, calls, virtualMs, chart } = await runScenario(
      scenario,
      { chart: job.chart },
    )
    sum.done += 1
    sum.events += events
    sum.resumes += resumes
    sum.calls += calls
    sum.virtualMs += virtualMs
    if (violations.length > 0) {
      sum.failed += 1
      tell({ kind: 'failed', seed, violations: violations.slice(0, 5), hostile: scenario.hostile })
      if (job.firstOnly === true) break
      if (job.shrink === true && sum.failed <= mostShrunk)
        await tellSmall(seed, violations[0]!.invariant, job)
    }
    if (job.chart === true) tell({ kind: 'chart', seed, hash, chart, scenario })
    if (performance.now() - toldMs < tellEveryMs) continue
    toldMs = performance.now()
    tell({ kind: 'progress', ...sum })
  }
  tell({ kind: 'done', ...sum })
}

async function tellSmall(seed: number, invariant: string, job: Job): Promise<void> {
  const scenario = scenarioOf(seed, job)
  const mask = await shrinkScenario(scenario, invariant)
  const { chart } = await runScenario(masked(scenario, mask), { chart: true })
  tell({ kind: 'small', seed, invariant, mask, chart, scenario: masked(scenario, mask) })
}

function tell(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}
