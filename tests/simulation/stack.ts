// A run of the whole stack: clients and servers as users make them, on simulated hosts.
//   in  -> a scenario
//   out -> servers and clients to do things with; faults done to them; what they hold

import { createClient } from '@callbox/client'
import type { Connection } from '@callbox/core'
import { createServer, RpcError, type Server } from '@callbox/server'
import {
  hostileTamper,
  Simulation,
  WallClock,
  type FaultTarget,
  type HostileHabit,
  type Host,
  type LineEnd,
  type Network,
  type Tamper,
  type Violation,
} from '@callbox/testing/simulation'
import type { CallerPlace } from './caller.ts'
import { clientHandlers, model, serviceOf, type Place } from './model.ts'
import type { Scenario } from './scenario.ts'
import { Trace, type Entry } from './trace.ts'

/** One process with a server. */
export interface ServerPlace extends Place {
  readonly host: Host
  readonly server: Server
  /** It answers no more: crashed, or closing. */
  gone: boolean
  dead: boolean
}

export interface ClientPlace extends CallerPlace {
  readonly host: Host
  readonly secret: string
  revokedUntilMs: number
  /** Sessions that were lost. */
  losses: number
  state: string
  /** Of the call made at the last resume. */
  extra: AbortController | undefined
  /** Before the first attempt to dial after a loss, in milliseconds. */
  readonly pauses: number[]
}

/** Of calls that belong to no operation. */
const extraOp = 1_000_000

/** What a drain may ask a client to wait. */
const mostFirstPauseMs = 2_000
/** An offence that must end a link has done so after this time. */
const offenceMs = 5_000

/** A profile with pieces of another size. */
function profileOf(scenario: Scenario): ConstructorParameters<typeof Simulation>[0] {
  const { seed, profile, maxPiece } = scenario
  if (maxPiece === undefined) return { seed, profile }
  return { seed, profile: { delayMs: [1, 40], capacity: 4 * 1024, maxPiece } }
}

export class Stack implements FaultTarget {
  readonly simulation: Simulation
  readonly network: Network
  readonly trace: Trace
  readonly clients: ClientPlace[] = []
  /** The present server of each slot; undefined while it is down. */
  readonly slots: (ServerPlace | undefined)[] = []
  readonly places: ServerPlace[] = []
  readonly violations: Violation[] = []
  readonly wall: WallClock
  private readonly scenario: Scenario
  private readonly record: boolean
  private readonly offences: { readonly end: LineEnd; readonly atMs: number }[] = []
  private readonly tampers = new Map<Host, Tamper>()
  private readonly closings: Promise<void>[] = []
  private readonly baseBytes: number
  private connections = 0
  private readonly numbers = new WeakMap<Connection, number>()

  constructor(scenario: Scenario, record = false) {
    this.record = record
    this.scenario = scenario
    const tamper = (host: Host): Tamper | undefined => this.tampers.get(host)
    this.simulation = new Simulation({
      ...profileOf(scenario),
      record,
      ...(scenario.hostile === undefined ? {} : { tamper }),
    })
    const { scheduler } = this.simulation
    this.network = this.simulation.network
    this.trace = new Trace(scheduler)
    this.wall = new WallClock(() => scheduler.nowMs)
    for (let slot = 0; slot < scenario.servers; slot += 1) this.start(slot)
    for (let index = 0; index < scenario.clients; index += 1) this.connect(index)
    this.baseBytes = this.clients[0]?.client.inspect().processBytes ?? 0
  }

  fail(invariant: string, text: string): void {
    if (this.violations.length < 50)
      this.violations.push({ invariant, atMs: Math.round(this.simulation.nowMs), text })
  }

  // Servers

  private start(slot: number): void {
    const { simulation, scenario } = this
    const who = `s${slot}.${this.places.filter((one) => one.who.startsWith(`s${slot}.`)).length}`
    const host = simulation.host(who)
    const { hostile } = scenario
    if (hostile?.role === 'server' && slot === 0)
      this.tampers.set(host, this.tamperOf(hostile.habit))
    const place = {
      ...this.placeOf(who, host),
      gone: false,
      dead: false,
    } as unknown as ServerPlace & { server: Server }
    const server = createServer({
      services: [serviceOf(place)],
      clock: host.clock,
      limits: scenario.limits,
      validateOutput: false,
      authenticate: (hello) => this.authenticate(hello.credential),
      logger: (level, event, fields) => this.onLog(`${level} ${event}`, fields),
    })
    Object.assign(place, { server })
    // The transport of the simulation listens at once.
    void server.listen(simulation.transport(host))
    this.slots[slot] = place
    this.places.push(place)
  }

  private tamperOf(habit: HostileHabit): Tamper {
    const { random, scheduler } = this.simulation
    return hostileTamper(habit, random.fork('hostile'), (end) =>
      this.offences.push({ end, atMs: scheduler.nowMs }),
    )
  }

  /** What no peer may go on after. */
  lookForOffences(): void {
    const { nowMs } = this.simulation
    for (const { end, atMs } of this.offences) {
      const { near, far, ordinal } = end.line
      const honest = end === near ? far : near
      if (honest.state === 'open' && honest.heardUs > (atMs + offenceMs) * 1_000)
        this.fail(
          'I10',
          `line ${ordinal}: lives on after an offence at ${Math.round(atMs)} of ${nowMs}`,
        )
    }
  }

  private placeOf(who: string, host: Host): Place & { readonly host: Host } {
    const { trace } = this
    const gate = {
      add: (...entry: Parameters<Trace['add']>): void => {
        // What a crashed process still does is only the simulation's: it has no other way to end it.
        if (!host.crashed && !this.buried.has(host)) trace.add(...entry)
      },
      entries: trace.entries,
    } as unknown as Trace
    return {
      who,
      host,
      trace: gate,
      added: 0,
      connectionNumber: (connection) => this.numberOf(connection),
      onWrongData: (op) => {
        // Whoever changes bits changes those of payloads too.
        if (this.scenario.hostile?.habit !== 'mutate')
          this.fail('I3', `op ${op}: a payload has come that nobody has sent`)
      },
    }
  }

  private readonly buried = new Set<Host>()

  private numberOf(connection: Connection): number {
    let number = this.numbers.get(connection)
    if (number === undefined) this.numbers.set(connection, (number = this.connections += 1))
    return number
  }

  private authenticate(credential: unknown): { principal: string; expiresAt?: Date } {
    const place = this.clients.find(({ secret }) => secret === credential)
    const { simulation, scenario } = this
    if (place === undefined) throw new Error('nobody has this credential')
    if (place.revokedUntilMs > simulation.nowMs) throw new RpcError('unauthenticated', 'revoked')
    const { credentialMs } = scenario
    return {
      principal: place.who,
      ...(credentialMs === undefined ? {} : { expiresAt: new Date(Date.now() + credentialMs) }),
    }
  }

  private onLog(text: string, fields: object): void {
    const { err: _, ...rest } = fields as Record<string, unknown>
    const line = `${text} ${JSON.stringify(rest)}`
    if (rest['code'] === 'internal') this.fail('I12', `an error of its own: ${line} ${String(_)}`)
    if (line.includes('secret-')) this.fail('I12', `a secret in the log: ${line}`)
  }

  // Clients

  private connect(index: number): void {
    const { simulation, scenario } = this
    const host = simulation.host(`c${index}`)
    const { hostile } = scenario
    if (hostile?.role === 'client' && index === scenario.clients - 1)
      this.tampers.set(host, this.tamperOf(hostile.habit))
    const secret = `secret-${scenario.seed}-${index}`
    const client = createClient({ model }, simulation.transport(host), {
      clock: host.clock,
      limits: scenario.limits,
      credential: () => secret,
      logger: (level, event, fields) => this.onLog(`${level} ${event}`, fields),
    })
    const place: ClientPlace = {
      ...this.placeOf(`c${index}`, host),
      client,
      secret,
      revokedUntilMs: 0,
      closed: false,
      losses: 0,
      state: 'idle',
      extra: undefined,
      pauses: [],
    }
    this.clients.push(place)
    client.handle(model, clientHandlers(place))
    client.on('sessionLost', () => {
      place.losses += 1
      place.trace.add(place, 'note', -1, 'session lost')
    })
    client.on('resumed', () => {
      place.trace.add(place, 'note', -1, 'resumed')
      this.callAtOnce(place)
    })
    client.on('state', ({ state, retryInMs }) => this.onState(place, state, retryInMs))
  }

  /** In the very turn of a resume: a cancel, and a new call. What was lost goes before both. */
  private callAtOnce(place: ClientPlace): void {
    place.extra?.abort()
    place.extra = new AbortController()
    const input = { op: extraOp, ms: 60_000, pad: '' }
    place.client.model.slow(input, { signal: place.extra.signal }).catch(() => undefined)
  }

  private onState(place: ClientPlace, state: string, retryInMs: number | undefined): void {
    place.trace.add(place, 'note', -1, state)
    const first = place.state === 'connected' && state === 'reconnecting'
    place.state = state
    if (!first || retryInMs === undefined) return
    place.pauses.push(retryInMs)
    if (retryInMs > mostFirstPauseMs)
      this.fail('bound', `${place.who}: waits ${retryInMs} ms before it dials at all`)
    const { pauses } = place
    if (pauses.length >= 5 && pauses.slice(-5).every((one) => one > 100 && one === retryInMs))
      this.fail('bound', `${place.who}: dials without jitter, ${retryInMs} ms each time`)
  }

  // Faults

  client(index: number): Host | undefined {
    return this.clients[index]?.host
  }

  server(index: number): Host | undefined {
    return this.slots[index]?.host
  }

  crash(slot: number, downMs: number): void {
    const place = this.slots[slot]
    if (place === undefined) return
    this.network.crash(place.host)
    place.gone = place.dead = true
    this.replace(slot, downMs)
  }

  drain(slot: number, graceMs: number, downMs: number): void {
    const place = this.slots[slot]
    if (place === undefined) return
    place.gone = true
    this.closings.push(place.server.close({ graceMs, acceptMs: Math.min(1_000, graceMs) }))
    this.replace(slot, downMs)
  }

  private replace(slot: number, downMs: number): void {
    this.slots[slot] = undefined
    this.later(downMs, () => this.start(slot))
  }

  private later(ms: number, work: () => void): void {
    const { scheduler } = this.simulation
    scheduler.at(
      scheduler.nowUs + ms * 1_000,
      10,
      () => {
        scheduler.enter()
        work()
      },
      undefined,
    )
  }

  revoke(client: number, forMs: number): void {
    const place = this.clients[client]
    if (place !== undefined) place.revokedUntilMs = this.simulation.nowMs + forMs
  }

  jump(byMs: number): void {
    this.wall.jump(byMs)
  }

  // The end

  /** Closes everybody, and moves time on until that is done. */
  async close(): Promise<void> {
    const { simulation } = this
    const done = Promise.all([
      ...this.clients.map(({ client }) => client.close()),
      ...this.places
        .filter(({ dead }) => !dead)
        .map(({ server }) => server.close({ graceMs: 2_000 })),
      ...this.closings,
    ])
    await simulation.until(done, 60_000).catch((error: unknown) => {
      this.fail('I8', `close() does not settle: ${String(error)}`)
    })
    await simulation.advance(5_000)
    for (const place of this.places.filter(({ dead }) => dead)) {
      this.buried.add(place.host)
      place.host.bury()
      await simulation.until(place.server.close({ graceMs: 0, acceptMs: 0, spreadMs: 0 }), 60_000)
    }
    await simulation.advance(5_000)
  }

  /** What must be left of it: nothing. */
  lookForLeaks(): void {
    const { clients, places, network } = this
    for (const { who, host, client } of clients) {
      if (host.pendingTimers > 0) this.fail('I8', `${who}: ${host.pendingTimers} timers are left`)
      const { state, waiting, connection, leaving, timers } = client.inspect()
      if (state !== 'closed' || waiting + leaving + timers > 0 || connection !== undefined)
        this.fail('I8', `${who}: something is left: ${JSON.stringify(client.inspect())}`)
    }
    for (const { who, host, server } of places) {
      if (host.pendingTimers > 0) this.fail('I8', `${who}: ${host.pendingTimers} timers are left`)
      const { listeners, arriving, connections, timers } = server.inspect()
      if (listeners + arriving + connections.length + timers > 0)
        this.fail('I8', `${who}: something is left: ${JSON.stringify(server.inspect())}`)
    }
    for (const line of network.lines) if (line.open) this.fail('I8', `line ${line.ordinal} is open`)
    const bytes = (clients[0]?.client.inspect().processBytes ?? 0) - this.baseBytes
    if (bytes !== 0) this.fail('I8', `${bytes} bytes are still charged`)
  }

  /** Empty unless frames were recorded. */
  chart(): string {
    if (!this.record) return ''
    const rows = this.trace.entries.map(({ atMs, who, what, op, value }) => ({
      atMs,
      from: who,
      text: `${what}${op < 0 ? '' : ` ${op}`} ${value}`,
    }))
    return this.simulation.chart(rows)
  }

  get entries(): readonly Entry[] {
    return this.trace.entries
  }
}
