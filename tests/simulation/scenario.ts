// One run as data: who is there, how the network is, what is done, what goes wrong.
//   in  -> a seed; a mask of what is left out
//   out -> a scenario; the same seed gives the same one

import type { LimitsOption } from '@callbox/core'
import {
  type profiles,
  Random,
  randomFaults,
  type Fault,
  type HostileHabit,
  hostileHabits,
} from '@callbox/testing/simulation'
import { randomOperations, type Operation } from './operations.ts'

export interface Scenario {
  readonly seed: number
  readonly clients: number
  readonly servers: number
  readonly profile: keyof typeof profiles
  /** Largest piece of bytes on the way; absent: that of the profile. */
  readonly maxPiece: number | undefined
  readonly limits: Exclude<LimitsOption, string>
  /** The credential of every client runs out after so many milliseconds; absent: never. */
  readonly credentialMs: number | undefined
  /** A host that breaks rules: the last client, or the first server. */
  readonly hostile: { readonly role: 'client' | 'server'; readonly habit: HostileHabit } | undefined
  readonly operations: readonly Operation[]
  readonly faults: readonly Fault[]
}

/** What is left out of a scenario, by number. */
export interface Mask {
  readonly faults: readonly number[]
  readonly operations: readonly number[]
  readonly clients: readonly number[]
}

export const noMask: Mask = { faults: [], operations: [], clients: [] }

/** Operations and faults begin before this moment, in milliseconds. */
export const busyMs = 20_000

/** Share of the runs with sizes that are rare otherwise, and of those with a peer that breaks rules. */
const rareShare = 0.25
const hostileShare = 0.12

export interface ScenarioOptions {
  /** Nobody breaks rules. */
  readonly honest?: boolean | undefined
  /** Few clients, few calls, small messages: many more seeds in the same time. */
  readonly small?: boolean | undefined
}

export function scenarioOf(seed: number, options: ScenarioOptions = {}): Scenario {
  const random = new Random(seed, 'scenario')
  const shape = random.fork('shape')
  const small = options.small === true
  const clients = small || shape.chance(0.5) ? shape.integer(1, 2) : shape.integer(1, 5)
  const servers = small || shape.chance(0.7) ? 1 : shape.integer(2, 3)
  const rare = shape.chance(rareShare)
  const hostileRandom = random.fork('hostile')
  const hostile = hostileRandom.chance(hostileShare)
    ? {
        role: hostileRandom.chance(0.75) ? ('client' as const) : ('server' as const),
        habit: hostileRandom.pick(hostileHabits),
      }
    : undefined
  const limits = limitsOf(random.fork('limits'), rare)
  const flood = small || limits.replayRing === undefined ? undefined : shape.integer(1_000, busyMs)
  const maxPiece = rare && shape.chance(0.1) ? 1 : undefined
  return {
    seed,
    clients,
    servers,
    profile: shape.pick(['lan', 'home', 'home', 'mobile', 'satellite']),
    maxPiece,
    limits,
    credentialMs: random.fork('credential').chance(0.15) ? 9_000 : undefined,
    hostile: options.honest === true ? undefined : hostile,
    operations: [
      ...randomOperations(random.fork('operations'), {
        clients,
        count: small ? shape.integer(3, 14) : shape.integer(4, 40),
        untilMs: busyMs,
        mostSize: small || maxPiece !== undefined ? 400 : Infinity,
      }),
      ...(flood === undefined || maxPiece !== undefined ? [] : floodAt(flood)),
    ],
    faults: [
      ...randomFaults(random.fork('faults'), {
        clients,
        servers,
        count: shape.chance(0.15) ? 0 : shape.integer(1, 7),
        untilMs: busyMs,
      }),
      ...(flood === undefined || maxPiece !== undefined ? [] : [silenceAt(flood)]),
    ],
  }
}

/** More than a small ring holds, while no acknowledgment comes back. */
function floodAt(at: number): readonly Operation[] {
  return [0, 1, 2].map((index) => ({
    op: floodOp + index,
    at,
    client: 0,
    kind: 'echo' as const,
    size: 250_000,
    items: 0,
    everyMs: 0,
    timeoutMs: undefined,
    cancelAfterMs: undefined,
    breakAfter: undefined,
    how: '',
  }))
}

const floodOp = 900

function silenceAt(at: number): Fault {
  return { kind: 'blackhole', at: at - 50, client: 0, way: 'down', forMs: 4_000 }
}

function limitsOf(random: Random, rare: boolean): Scenario['limits'] {
  const fast = random.chance(0.3) ? { pingIntervalMs: 1_000, pingTimeoutMs: 2_000 } : {}
  if (!rare) return fast
  const some = <T extends object>(limits: T): T | object => (random.chance(0.5) ? limits : {})
  return {
    ...fast,
    ...some({ window: 128 * 1024 }),
    ...some({ maxFrame: 16 * 1024 }),
    ...some({ replayRing: 256 * 1024 }),
    ...some({ maxCalls: random.integer(1, 4) }),
    ...some({ ackBytes: 1_024 }),
    ...some({ receiveBudget: 256 * 1024 }),
    ...some({ sessionGraceMs: random.pick([0, 500, 3_000]) }),
    ...some({ maxFed: 4_096 }),
  }
}

/** The scenario without what the mask leaves out. Numbers stay what they are. */
export function masked(scenario: Scenario, mask: Mask): Scenario {
  const without = new Set(mask.clients)
  return {
    ...scenario,
    operations: scenario.operations.filter(
      ({ op, client }) => !mask.operations.includes(op) && !without.has(client),
    ),
    faults: scenario.faults.filter((_, index) => !mask.faults.includes(index)),
  }
}

/** When the last fault is over, in milliseconds. */
export function calmAt(scenario: Scenario): number {
  let at = busyMs
  for (const fault of scenario.faults) at = Math.max(at, endOf(fault))
  return at
}

function endOf(fault: Fault): number {
  switch (fault.kind) {
    case 'swizzle':
      return fault.at + Math.max(...fault.forMs)
    case 'crash':
      return fault.at + fault.downMs
    case 'drain':
      return fault.at + fault.graceMs + fault.downMs
    case 'cut':
      return fault.at + fault.laterMs
    case 'halfOpen':
    case 'clockJump':
      return fault.at
    case 'blackhole':
    case 'stall':
    case 'freeze':
    case 'pauseReader':
    case 'refuse':
    case 'revoke':
      return fault.at + fault.forMs
  }
}
