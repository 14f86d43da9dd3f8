// What goes wrong, and when: a schedule of faults as data, so that it can be printed and shrunk.
//   in  -> chance, how many clients and servers there are
//   out -> a list of faults; the same faults, done to a network
// What only the owner of the servers can do (crash, drain, revoke) is asked of him.

import type { Host } from './host.ts'
import type { Line, Way } from './line.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'

/** `at` and `forMs` in milliseconds. `client` and `server` count from 0. */
export type Fault =
  /** Both ends lose the line, or one now and the other later. */
  | {
      readonly kind: 'cut'
      readonly at: number
      readonly client: number
      readonly first: 'near' | 'far' | 'both'
      readonly laterMs: number
    }
  /** One end loses the line, the other is told nothing, ever. */
  | {
      readonly kind: 'halfOpen'
      readonly at: number
      readonly client: number
      readonly lost: 'near' | 'far'
    }
  /** Nothing arrives in one direction for a while. */
  | {
      readonly kind: 'blackhole'
      readonly at: number
      readonly client: number
      readonly way: Way
      readonly forMs: number
    }
  /** Nothing arrives in either direction for a while. */
  | {
      readonly kind: 'stall'
      readonly at: number
      readonly client: number
      readonly forMs: number
    }
  /** A process stands still: a client, or a server. */
  | {
      readonly kind: 'freeze'
      readonly at: number
      readonly role: 'client' | 'server'
      readonly index: number
      readonly forMs: number
    }
  /** A server dies, with all that it knew, and another comes in its place. */
  | {
      readonly kind: 'crash'
      readonly at: number
      readonly server: number
      readonly downMs: number
    }
  /** A server is closed in order, and another comes in its place. */
  | {
      readonly kind: 'drain'
      readonly at: number
      readonly server: number
      readonly graceMs: number
      readonly downMs: number
    }
  /** An end stops reading its line. */
  | {
      readonly kind: 'pauseReader'
      readonly at: number
      readonly client: number
      readonly side: 'near' | 'far'
      readonly forMs: number
    }
  /** Nobody can connect. */
  | { readonly kind: 'refuse'; readonly at: number; readonly forMs: number }
  /** The credential of a client is not accepted for a while. */
  | {
      readonly kind: 'revoke'
      readonly at: number
      readonly client: number
      readonly forMs: number
    }
  /** The wall clock jumps. */
  | { readonly kind: 'clockJump'; readonly at: number; readonly byMs: number }
  /** Lines are clogged, and let go in another order. */
  | {
      readonly kind: 'swizzle'
      readonly at: number
      readonly clients: readonly number[]
      readonly forMs: readonly number[]
    }

export type FaultKind = Fault['kind']

export interface FaultTerms {
  readonly clients: number
  readonly servers: number
  /** Faults come before this moment, in milliseconds. */
  readonly untilMs: number
  readonly count: number
  /** Absent: all of them. */
  readonly kinds?: readonly FaultKind[] | undefined
}

/** What is likely to go wrong is drawn more often. */
const weights: Readonly<Record<FaultKind, number>> = {
  cut: 8,
  halfOpen: 3,
  blackhole: 3,
  stall: 3,
  freeze: 3,
  crash: 3,
  drain: 2,
  pauseReader: 2,
  refuse: 2,
  revoke: 1,
  clockJump: 1,
  swizzle: 1,
}

const kinds = Object.keys(weights) as readonly FaultKind[]

/** A schedule, in the order of time. */
export function randomFaults(random: Random, terms: FaultTerms): readonly Fault[] {
  const bag = (terms.kinds ?? kinds).flatMap((kind) =>
    Array.from({ length: weights[kind] }, () => kind),
  )
  const faults = Array.from({ length: terms.count }, () =>
    randomFault(random, random.pick(bag), terms),
  ).flatMap((fault) => [fault, ...sequelsOf(random, fault, terms)])
  return faults.sort((a, b) => a.at - b.at)
}

/** Trouble comes in pairs: what strikes in the middle of a recovery finds the most. */
function sequelsOf(random: Random, fault: Fault, terms: FaultTerms): readonly Fault[] {
  if (terms.kinds !== undefined && !terms.kinds.includes('cut')) return []
  const first = random.pick(['near', 'far', 'both'] as const)
  const laterMs = random.integer(0, 500)
  if (fault.kind === 'cut' && random.chance(0.4))
    return [{ ...fault, at: fault.at + random.integer(20, 1_200), first, laterMs }]
  if (fault.kind === 'drain' && random.chance(0.6)) {
    const client = random.integer(0, terms.clients - 1)
    const at = fault.at + random.integer(20, Math.max(50, fault.graceMs))
    return [{ kind: 'cut', at, client, first, laterMs }]
  }
  return []
}

/** Mostly short, now and then longer than any timeout. */
function duration(random: Random): number {
  return random.chance(0.6) ? random.integer(20, 3_000) : random.integer(3_000, 45_000)
}

function randomFault(random: Random, kind: FaultKind, terms: FaultTerms): Fault {
  const at = random.integer(50, terms.untilMs)
  const client = random.integer(0, terms.clients - 1)
  const server = random.integer(0, terms.servers - 1)
  switch (kind) {
    case 'cut':
      return {
        kind,
        at,
        client,
        first: random.pick(['near', 'far', 'both']),
        laterMs: random.integer(0, 2_000),
      }
    case 'halfOpen':
      return { kind, at, client, lost: random.pick(['near', 'far']) }
    case 'blackhole':
      return { kind, at, client, way: random.pick(['up', 'down']), forMs: duration(random) }
    case 'stall':
      return { kind, at, client, forMs: duration(random) }
    case 'freeze': {
      const role = random.pick(['client', 'server'] as const)
      const forMs = random.chance(0.7) ? random.integer(20, 9_000) : random.integer(9_000, 40_000)
      return { kind, at, role, index: role === 'client' ? client : server, forMs }
    }
    case 'crash':
      return { kind, at, server, downMs: random.integer(0, 4_000) }
    case 'drain':
      return {
        kind,
        at,
        server,
        graceMs: random.integer(0, 8_000),
        downMs: random.integer(0, 2_000),
      }
    case 'pauseReader':
      return {
        kind,
        at,
        client,
        side: random.pick(['near', 'far']),
        forMs: random.integer(50, 12_000),
      }
    case 'refuse':
      return { kind, at, forMs: random.integer(50, 8_000) }
    case 'revoke':
      return { kind, at, client, forMs: random.integer(500, 8_000) }
    case 'clockJump':
      return { kind, at, byMs: random.pick([3_600_000, -3_600_000, 86_400_000]) }
    case 'swizzle': {
      const all = Array.from({ length: terms.clients }, (_, index) => index)
      const some = random.shuffled(all).slice(0, random.integer(1, terms.clients))
      return { kind, at, clients: some, forMs: some.map(() => random.integer(50, 8_000)) }
    }
  }
}

/** What faults are done to. */
export interface FaultTarget {
  readonly network: Network
  client(index: number): Host | undefined
  server(index: number): Host | undefined
  crash(server: number, downMs: number): void
  drain(server: number, graceMs: number, downMs: number): void
  revoke(client: number, forMs: number): void
  jump(byMs: number): void
}

/** Does it, now. */
export function inject(fault: Fault, target: FaultTarget): void {
  const lines = (client: number): readonly Line[] => {
    const host = target.client(client)
    return host === undefined ? [] : target.network.linesOf(host)
  }
  switch (fault.kind) {
    case 'cut':
      for (const line of lines(fault.client)) line.cut(fault.first, fault.laterMs)
      return
    case 'halfOpen':
      for (const line of lines(fault.client)) line.cut(fault.lost, Infinity)
      return
    case 'blackhole':
      for (const line of lines(fault.client)) line.hold(fault.way, fault.forMs)
      return
    case 'stall':
      for (const line of lines(fault.client)) line.hold('both', fault.forMs)
      return
    case 'freeze':
      return target[fault.role](fault.index)?.freeze(fault.forMs)
    case 'crash':
      return target.crash(fault.server, fault.downMs)
    case 'drain':
      return target.drain(fault.server, fault.graceMs, fault.downMs)
    case 'pauseReader':
      for (const line of lines(fault.client)) line[fault.side].block(fault.forMs)
      return
    case 'refuse':
      return target.network.refuse(fault.forMs)
    case 'revoke':
      return target.revoke(fault.client, fault.forMs)
    case 'clockJump':
      return target.jump(fault.byMs)
    case 'swizzle':
      for (const [at, client] of fault.clients.entries())
        for (const line of lines(client)) line.hold('both', fault.forMs[at]!)
      return
  }
}
