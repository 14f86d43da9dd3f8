// Runs one scenario from its first operation to the look for leaks.
//   in  -> a scenario
//   out -> violations, the hash of all events, how much happened

import { resolveLimits } from '@callbox/core/internal'
import { inject, type Violation } from '@callbox/testing/simulation'
import { perform, type Performing } from './caller.ts'
import { judge } from './oracle.ts'
import { calmAt, type Scenario } from './scenario.ts'
import { inspectMemory, inspectRest } from './memory.ts'
import { Stack } from './stack.ts'
import type { Entry } from './trace.ts'

export interface Outcome {
  readonly scenario: Scenario
  readonly violations: readonly Violation[]
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly calls: number
  readonly resumes: number
  readonly entries: readonly Entry[]
  /** Of every frame and entry; empty unless asked for. */
  readonly chart: string
}

export interface RunOptions {
  /** Draws a sequence chart. */
  readonly chart?: boolean | undefined
}

/** After the last fault everything is settled and connected within so many milliseconds (I7). */
const recoveryMs = 75_000

export async function runScenario(scenario: Scenario, options: RunOptions = {}): Promise<Outcome> {
  const stack = new Stack(scenario, options.chart)
  stack.wall.install()
  const onRejection = (error: unknown): void => stack.fail('I12', `unhandled: ${String(error)}`)
  process.on('unhandledRejection', onRejection)
  try {
    return await play(scenario, stack)
  } finally {
    process.removeListener('unhandledRejection', onRejection)
    stack.wall.uninstall()
  }
}

async function play(scenario: Scenario, stack: Stack): Promise<Outcome> {
  const { simulation } = stack
  const performing: Performing[] = []
  let calm = false
  const onLook = (): void => {
    calm = isCalm(scenario, stack, performing)
  }
  schedule(scenario, stack, performing, onLook)
  const endMs = calmAt(scenario) + recoveryMs + queueMs(scenario)
  await simulation.scheduler.run(endMs, () => calm)
  for (const { extra } of stack.clients) extra?.abort()
  // What is still on its way arrives before anybody closes.
  await simulation.advance(3_000)
  lookForUnsettled(scenario, stack, performing)
  if (performing.every(({ settled }) => settled)) inspectRest(stack, suspectsOf(scenario))
  stack.lookForOffences()
  await stack.close()
  stack.lookForLeaks()
  for (const { operation, signal } of performing)
    if (signal.listening > 0) stack.fail('I8', `op ${operation.op}: its signal is still heard`)
  const suspect = suspectsOf(scenario)
  const verdict = judge(scenario.operations, stack.entries, {
    isSuspect: ({ client }) => suspect(client),
    anythingCalled: ['mutate', 'replay'].includes(scenario.hostile?.habit ?? ''),
    keptAll: (client) => {
      const place = stack.clients[client]!
      return place.losses === 0 && !place.closed
    },
    undisturbed:
      scenario.faults.length === 0 &&
      scenario.limits.maxCalls === undefined &&
      suspect(0) === false,
    serversLived: !scenario.faults.some(({ kind }) => kind === 'crash' || kind === 'drain'),
  })
  return {
    scenario,
    violations: [...stack.violations, ...simulation.violations, ...verdict],
    hash: simulation.scheduler.eventHash,
    events: simulation.scheduler.count,
    virtualMs: simulation.nowMs,
    calls: scenario.operations.length,
    resumes: simulation.wire.resumes,
    entries: stack.entries,
    chart: stack.chart(),
  }
}

/**
 * Nothing is left to wait for. A quarter of the runs goes on all the same: what an idle connection
 * does takes minutes.
 */
function isCalm(scenario: Scenario, stack: Stack, performing: readonly Performing[]): boolean {
  if (scenario.seed % 4 === 0 || stack.simulation.nowMs < calmAt(scenario) + 1_000) return false
  if (performing.some(({ settled }) => !settled)) return false
  if (stack.clients.some(({ client }) => !['connected', 'idle', 'closed'].includes(client.state)))
    return false
  // A line that one end has given up has still to be noticed by the other.
  return stack.network.lines.every(
    ({ near, far }) => (near.state === 'closed') === (far.state === 'closed'),
  )
}

function schedule(
  scenario: Scenario,
  stack: Stack,
  performing: Performing[],
  onLook: () => void,
): void {
  const { scheduler } = stack.simulation
  for (const operation of scenario.operations) {
    const place = stack.clients[operation.client]!
    place.host.after(operation.at, () => performing.push(perform(place, operation)))
  }
  for (const fault of scenario.faults)
    scheduler.at(fault.at * 1_000, 9, () => {
      scheduler.enter()
      stack.trace.add({ who: '-', host: { frozenMs: 0 } }, 'note', -1, JSON.stringify(fault))
      inject(fault, stack)
    })
  const limits = resolveLimits(scenario.limits)
  const look = (): void => {
    inspectMemory(limits, stack)
    onLook()
    scheduler.at(scheduler.nowUs + 500_000, 11, look)
  }
  look()
}

/** Few slots make calls wait for each other. */
function queueMs({ operations, limits }: Scenario): number {
  if (limits.maxCalls === undefined) return 0
  const sum = operations.reduce((total, { items, everyMs }) => total + (items + 1) * everyMs, 0)
  return Math.ceil(sum / limits.maxCalls)
}

/** I7. Who breaks rules, and who speaks with one, may hang. */
function lookForUnsettled(
  scenario: Scenario,
  stack: Stack,
  performing: readonly Performing[],
): void {
  const suspect = suspectsOf(scenario)
  for (const { operation, settled } of performing)
    if (!settled && !suspect(operation.client))
      stack.fail('I7', `op ${operation.op} ${operation.kind} c${operation.client} has not settled`)
  for (const [index, { client, who }] of stack.clients.entries())
    if (!suspect(index) && !['connected', 'idle', 'closed'].includes(client.state))
      stack.fail('I7', `${who} is ${client.state}`)
}

function suspectsOf({ hostile, clients }: Scenario): (client: number) => boolean {
  if (hostile === undefined) return () => false
  return hostile.role === 'server' ? () => true : (client) => client === clients - 1
}
