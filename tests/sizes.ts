// How much the tests that can run for ever do: fuzzing, properties, soaks.
//   in  -> CALLBOX_SIZES: ci or nightly; anything else stops the run. Absent: ci where CI is set
//   out -> `sizes`, and `sizesLine()` for whoever prints what a run has used
// Seeds are fixed: the same size does the same thing everywhere.

export type SizesName = 'local' | 'ci' | 'nightly'

export interface Sizes {
  /** Mutated msgpack bodies. */
  readonly fuzzBodies: number
  /** Mutated frames. */
  readonly fuzzFrames: number
  /** Mutated byte streams against a whole server. */
  readonly fuzzStreams: number
  /** Seeds of the simulator. */
  readonly simulationSeeds: number
  /** Scenarios of the simulator on real sockets. */
  readonly simulationSockets: number
  /** Runs of one property of fast-check. */
  readonly propertyRuns: number
  /** Opening handshakes, one after the other. */
  readonly handshakes: number
  /** Upgrades that are refused. A multiple of 200. */
  readonly refusedUpgrades: number
  /** Connections dialed at once beyond a limit. */
  readonly dials: number
  /** Connections that attack at once, and for how long, in milliseconds. */
  readonly attackers: number
  readonly attackMs: number
}

const table: Readonly<Record<SizesName, Sizes>> = {
  local: {
    fuzzBodies: 100_000,
    fuzzFrames: 100_000,
    fuzzStreams: 10_000,
    propertyRuns: 500,
    handshakes: 100,
    refusedUpgrades: 1_000,
    dials: 300,
    attackers: 30,
    attackMs: 3_000,
    simulationSeeds: 300,
    simulationSockets: 8,
  },
  ci: {
    fuzzBodies: 1_000_000,
    fuzzFrames: 100_000,
    fuzzStreams: 100_000,
    propertyRuns: 2_000,
    handshakes: 300,
    refusedUpgrades: 2_000,
    dials: 600,
    attackers: 50,
    attackMs: 5_000,
    simulationSeeds: 5_000,
    simulationSockets: 40,
  },
  nightly: {
    fuzzBodies: 10_000_000,
    fuzzFrames: 1_000_000,
    fuzzStreams: 1_000_000,
    simulationSeeds: 200_000,
    simulationSockets: 200,
    propertyRuns: 50_000,
    handshakes: 1_000,
    refusedUpgrades: 10_000,
    dials: 2_000,
    attackers: 200,
    attackMs: 60_000,
  },
}

function chosen(environment: Readonly<Record<string, string | undefined>>): SizesName {
  const name = environment['CALLBOX_SIZES']
  if (name === undefined || name === '') return (environment['CI'] ?? '') === '' ? 'local' : 'ci'
  if (!Object.hasOwn(table, name))
    throw new Error(`CALLBOX_SIZES is '${name}', not one of ${Object.keys(table).join(', ')}`)
  return name as SizesName
}

/** Browsers have no environment. */
export const sizesName: SizesName = chosen(typeof process === 'undefined' ? {} : process.env)

export const sizes: Sizes = table[sizesName]

/** Of sessions that survive: faults over real sockets and in processes of their own. */
export interface FaultSizes {
  /** A recorded conversation is cut at each so-manieth byte; 1: at every one. */
  readonly cutStep: number
  /** Cuts at random under load, on each of two transports. */
  readonly randomCuts: number
  /** Runs of calls and faults at random, on the virtual clock. */
  readonly chaosSeeds: number
  /** Clients of a server that is killed. */
  readonly killedClients: number
  /** Rolling restarts of three servers. */
  readonly rollingRounds: number
  /** A process that is stopped for long, in milliseconds; its limits are shortened to fit. */
  readonly stoppedMs: number
  readonly idleSessions: number
  /** How long they are idle, in milliseconds. */
  readonly idleMs: number
  readonly soakMs: number
  /** A page in a browser that is frozen, in milliseconds. */
  readonly frozenMs: number
}

const faultTable: Readonly<Record<SizesName, FaultSizes>> = {
  local: {
    cutStep: 7,
    randomCuts: 150,
    chaosSeeds: 20,
    killedClients: 300,
    rollingRounds: 2,
    stoppedMs: 10_000,
    idleSessions: 1_000,
    idleMs: 3_000,
    soakMs: 6_000,
    frozenMs: 6_000,
  },
  ci: {
    cutStep: 1,
    randomCuts: 500,
    chaosSeeds: 60,
    killedClients: 1_000,
    rollingRounds: 3,
    stoppedMs: 10_000,
    idleSessions: 10_000,
    idleMs: 60_000,
    soakMs: 60_000,
    frozenMs: 60_000,
  },
  nightly: {
    cutStep: 1,
    randomCuts: 20_000,
    chaosSeeds: 2_000,
    killedClients: 5_000,
    rollingRounds: 20,
    stoppedMs: 40_000,
    idleSessions: 10_000,
    idleMs: 600_000,
    soakMs: 600_000,
    frozenMs: 60_000,
  },
}

export const faultSizes: FaultSizes = faultTable[sizesName]

/** One line that says which sizes are used. */
export function sizesLine(): string {
  const counts = Object.entries({ ...sizes, ...faultSizes }).map(
    ([name, count]) => `${name} ${count.toLocaleString('en')}`,
  )
  return `test sizes '${sizesName}' (CALLBOX_SIZES): ${counts.join(', ')}`
}
