// The honesty check: the same operations, the same faults, the same oracle, on real sockets.
//   in  -> scenarios of the simulator, in less time; a fault proxy between clients and server
//   out -> what breaks an invariant here and not there would be a fault of the simulated network
// Real time: nothing is asked of it but that no deadline passes early.

import { createClient } from '@callbox/client'
import { clockOf } from '@callbox/core/internal'
import { createServer, silent, type Server } from '@callbox/server'
import { createFaultProxy, type FaultProxy } from '@callbox/testing/node'
import { type Fault, Random } from '@callbox/testing/simulation'
import { tcp } from '@callbox/transport-tcp'
import { expect, test } from 'vitest'
import { sizes } from '../sizes.ts'
import { perform, type CallerPlace, type Performing } from './caller.ts'
import { clientHandlers, model, serviceOf, type Place, type PlaceHost } from './model.ts'
import type { Operation } from './operations.ts'
import { judge } from './oracle.ts'
import { scenarioOf } from './scenario.ts'
import { Trace } from './trace.ts'

/** So much faster than the simulator's: 20 s become 2. */
const haste = 10
const atOnce = 4

class World {
  readonly trace: Trace
  readonly clients: (CallerPlace & { losses: number })[] = []
  readonly wrong: string[] = []
  readonly server: Server
  readonly proxy: FaultProxy
  private readonly connections = new Map<object, number>()

  private constructor(server: Server, proxy: FaultProxy, trace: Trace) {
    this.server = server
    this.proxy = proxy
    this.trace = trace
  }

  static async start(clients: number): Promise<World> {
    const started = performance.now()
    const clock = {
      get nowMs() {
        return performance.now() - started
      },
      foldText: () => undefined,
    }
    const trace = new Trace(clock)
    const holder: { world?: World } = {}
    const place = placeOf('s0.0', trace, holder)
    const server = createServer({ services: [serviceOf(place)], logger: silent })
    const { port } = await server.listen(tcp({ port: 0, host: '127.0.0.1' }))
    const proxy = await createFaultProxy({ target: { port } })
    const world = new World(server, proxy, trace)
    holder.world = world
    for (let index = 0; index < clients; index += 1) world.connect(index, holder)
    return world
  }

  numberOf(connection: object): number {
    const number = this.connections.get(connection) ?? this.connections.size + 1
    this.connections.set(connection, number)
    return number
  }

  private connect(index: number, holder: { world?: World }): void {
    const transport = tcp({ port: this.proxy.port, host: '127.0.0.1' })
    const client = createClient({ model }, transport)
    const place = { ...placeOf(`c${index}`, this.trace, holder), client, closed: false, losses: 0 }
    client.handle(model, clientHandlers(place))
    client.on('sessionLost', () => (place.losses += 1))
    this.clients.push(place)
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map(({ client }) => client.close()))
    await this.server.close({ graceMs: 1_000, acceptMs: 0 })
    await this.proxy.close()
  }
}

const host: PlaceHost = {
  clock: clockOf(globalThis),
  frozenMs: 0,
  sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
  after: (ms, work) => void setTimeout(work, ms),
}

function placeOf(who: string, trace: Trace, holder: { world?: World }): Place {
  return {
    who,
    host,
    trace,
    added: 0,
    connectionNumber: (connection) => holder.world!.numberOf(connection),
    onWrongData: (op) => void holder.world!.wrong.push(`op ${op}: wrong data`),
  }
}

const faster = (ms: number): number => Math.round(ms / haste)

/** Without what only the simulator can do, in less time. Deadlines stay: sockets are not faster. */
function hastened(operations: readonly Operation[]): readonly Operation[] {
  return operations
    .filter(({ kind }) => kind !== 'close')
    .map((one) => ({
      ...one,
      at: faster(one.at),
      everyMs: faster(one.everyMs),
      cancelAfterMs: one.cancelAfterMs === undefined ? undefined : faster(one.cancelAfterMs),
    }))
}

function inject(fault: Fault, proxy: FaultProxy): void {
  switch (fault.kind) {
    case 'cut':
      return fault.first === 'both' ? proxy.reset() : proxy.cut()
    case 'halfOpen':
      return proxy.reset()
    case 'stall':
    case 'blackhole':
    case 'swizzle':
    case 'pauseReader': {
      proxy.stall()
      setTimeout(() => proxy.resume(), 400)
      return
    }
    default:
      // The others need processes of their own.
      return
  }
}

async function play(seed: number): Promise<readonly string[]> {
  const scenario = scenarioOf(seed, { honest: true })
  const world = await World.start(scenario.clients)
  const operations = hastened(scenario.operations)
  const performing: Promise<Performing>[] = operations.map(
    (operation) =>
      new Promise((resolve) =>
        host.after(operation.at, () =>
          resolve(perform(world.clients[operation.client]!, operation)),
        ),
      ),
  )
  for (const fault of scenario.faults)
    setTimeout(() => inject(fault, world.proxy), faster(fault.at))
  const all = await Promise.all(performing)
  await Promise.all(all.map(({ done }) => done))
  await eventsArrive(world, operations)
  const left = all.filter(({ signal }) => signal.listening > 0)
  const violations = judge(operations, world.trace.entries, {
    isSuspect: () => false,
    anythingCalled: false,
    keptAll: (client) => world.clients[client]!.losses === 0,
    realTime: true,
    undisturbed: false,
    serversLived: true,
  })
  await world.close()
  return [
    ...violations.map(({ invariant, text }) => `seed ${seed}: ${invariant} ${text}`),
    ...left.map(({ operation }) => `seed ${seed}: op ${operation.op}: its signal is still heard`),
    ...world.wrong,
  ]
}

/** Events have no answer: they arrive a little later. */
async function eventsArrive(world: World, operations: readonly Operation[]): Promise<void> {
  const { entries } = world.trace
  const notes = new Set(operations.filter(({ kind }) => kind === 'note').map(({ op }) => op))
  const arrived = (): boolean => {
    const seen = (what: string): Set<number> =>
      new Set(entries.filter((one) => one.what === what && notes.has(one.op)).map(({ op }) => op))
    return [...seen('ok')].every((op) => seen('took').has(op))
  }
  for (let turn = 0; turn < 100 && !arrived(); turn += 1) await host.sleep(100)
}

test(
  `${sizes.simulationSockets} scenarios keep the same invariants on real sockets`,
  { timeout: 120_000 + sizes.simulationSockets * 20_000 },
  async () => {
    // Which ones is left to the seed: not those with the lowest numbers only.
    const random = new Random(1, 'sockets')
    const seeds = Array.from({ length: sizes.simulationSockets }, () => random.integer(1, 10_000))
    const violations: string[] = []
    for (let at = 0; at < seeds.length; at += atOnce)
      violations.push(
        ...(await Promise.all(seeds.slice(at, at + atOnce).map((seed) => play(seed)))).flat(),
      )
    expect(violations).toEqual([])
  },
)
