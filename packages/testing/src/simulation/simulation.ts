// A simulated world for tests: hosts with clocks of their own, a network between them, a checker.
//   in  -> a seed; what runs on the hosts
//   out -> virtual time that a test moves; lines that it can break; what must not have happened
// The same seed gives the same run, event by event, whatever the machine is doing.

import type { Transport } from '@callbox/core/internal'
import { chartOf, FrameRecorder, type ChartRow } from './chart.ts'
import type { Host } from './host.ts'
import type { Line, Tamper } from './line.ts'
import { Network, profiles } from './network.ts'
import type { LineProfile } from './pipe.ts'
import { Random } from './random.ts'
import { EventKind, Scheduler } from './scheduler.ts'
import { WireChecker, type Violation } from './wire.ts'

export interface SimulationOptions {
  /** Everything that is left to chance follows from it. Default 1. */
  readonly seed?: number | undefined
  /** How lines treat bytes. Default `home`: 1 to 40 ms each way. */
  readonly profile?: keyof typeof profiles | LineProfile | undefined
  /** What a host that breaks rules does to the frames that it sends. */
  readonly tamper?: ((host: Host) => Tamper | undefined) | undefined
  /** Remembers every frame, for `chart()`. */
  readonly record?: boolean | undefined
}

/** How often the checker looks at what only time shows, in milliseconds. */
const lookMs = 500

export class Simulation {
  readonly scheduler: Scheduler = new Scheduler()
  readonly random: Random
  readonly network: Network
  readonly wire: WireChecker
  private readonly recorder: FrameRecorder | undefined

  constructor(options: SimulationOptions = {}) {
    const { scheduler } = this
    const { profile = 'home', tamper } = options
    this.random = new Random(options.seed ?? 1)
    const hostile = (line: Line): boolean =>
      tamper !== undefined &&
      (tamper(line.near.owner) !== undefined || tamper(line.far.owner) !== undefined)
    this.wire = new WireChecker({ nowMs: () => scheduler.nowMs, isHostile: hostile })
    if (options.record === true) this.recorder = new FrameRecorder(() => scheduler.nowMs, this.wire)
    this.network = new Network({
      scheduler,
      random: this.random.fork('network'),
      profile: typeof profile === 'string' ? profiles[profile] : profile,
      tap: this.recorder ?? this.wire,
      tamper,
    })
    this.look()
  }

  /** Milliseconds since the start. */
  get nowMs(): number {
    return this.scheduler.nowMs
  }

  /** A new process: give its clock, and a transport of its own, to a client or a server. */
  host(name: string): Host {
    return this.network.host(name)
  }

  /** What a host dials or listens with. All hosts that listen share one address. */
  transport(host: Host): Required<Transport> {
    return this.network.transport(host)
  }

  /** Moves time on by so many milliseconds, with all that happens meanwhile. */
  async advance(ms: number): Promise<void> {
    await this.scheduler.run(this.scheduler.nowMs + ms)
  }

  /** Moves time on until `work` has settled. Rejects with an Error after `mostMs` milliseconds. */
  async until<T>(work: PromiseLike<T>, mostMs: number = 120_000): Promise<T> {
    let over = false
    const watched = Promise.resolve(work).finally(() => {
      over = true
    })
    watched.catch(() => undefined)
    await this.scheduler.run(this.nowMs + mostMs, () => over)
    if (!over) throw new Error(`not settled after ${mostMs} ms of virtual time`)
    return watched
  }

  /** What was seen on the wire that must not be. */
  get violations(): readonly Violation[] {
    return this.wire.violations
  }

  /** The frames so far, and the notes of the test, as a picture; without `record` only the notes. */
  chart(notes: readonly ChartRow[] = []): string {
    return chartOf([...(this.recorder?.rows() ?? []), ...notes])
  }

  private look(): void {
    this.wire.look()
    const { scheduler } = this
    scheduler.at(scheduler.nowUs + lookMs * 1_000, EventKind.Look, () => this.look())
  }
}
