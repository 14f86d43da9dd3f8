// A network in virtual time: who listens where, who can connect, every line there is.
//   in  -> a transport for each host; faults
//   out -> lines; refused and hanging attempts to connect
// Several hosts may listen on one address, as behind a load balancer: an attempt to connect goes to
// one of them.

import type { DialOptions, Link, Listener, ListenOptions, Transport } from '@callbox/core/internal'
import { Host } from './host.ts'
import { Line, type LineTap, type Tamper } from './line.ts'
import type { LineProfile } from './pipe.ts'
import type { Random } from './random.ts'
import { EventKind, type Scheduler } from './scheduler.ts'

/** Lines as they are in buildings, homes, on the move and in orbit. */
export const profiles: Readonly<Record<'lan' | 'home' | 'mobile' | 'satellite', LineProfile>> = {
  lan: { delayMs: [0.1, 2], capacity: 256 * 1024, maxPiece: 16 * 1024 },
  home: { delayMs: [1, 40], capacity: 128 * 1024, maxPiece: 16 * 1024 },
  mobile: { delayMs: [20, 400], capacity: 64 * 1024, maxPiece: 8 * 1024 },
  satellite: { delayMs: [280, 350], capacity: 128 * 1024, maxPiece: 16 * 1024 },
}

export interface NetworkOptions {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly profile?: LineProfile | undefined
  /** Sees every frame. */
  readonly tap?: LineTap | undefined
  /** What a host that breaks rules does to the frames that it sends. */
  readonly tamper?: ((host: Host) => Tamper | undefined) | undefined
}

interface Listening {
  readonly host: Host
  readonly options: ListenOptions
}

export class Network {
  /** Every connection so far, in order. */
  readonly lines: Line[] = []
  /** Attempts to connect that were refused. */
  refused = 0
  private refusedUntilUs = 0
  private hosts = 0
  private readonly listening: Listening[] = []
  private readonly scheduler: Scheduler
  private readonly random: Random
  private readonly choices: Random
  private readonly profile: LineProfile
  private readonly tap: LineTap
  private readonly tamper: (host: Host) => Tamper | undefined

  constructor(options: NetworkOptions) {
    this.scheduler = options.scheduler
    this.random = options.random
    this.choices = options.random.fork('choices')
    this.profile = options.profile ?? profiles.home
    this.tap = options.tap ?? {}
    this.tamper = options.tamper ?? (() => undefined)
  }

  /** A new host, with a clock and chance of its own. */
  host(name: string): Host {
    this.hosts += 1
    return new Host(this.scheduler, name, this.hosts, this.random.fork(`host ${this.hosts}`))
  }

  /** What a host gives to `createClient` or `server.listen`. There is one address. */
  transport(host: Host): Required<Transport> {
    return {
      name: 'simulated',
      target: 'simulated://network',
      dial: (options) => this.dial(host, options),
      listen: (options) => this.listen(host, options),
    }
  }

  /** Nobody can connect for so many milliseconds. */
  refuse(ms: number): void {
    this.refusedUntilUs = Math.max(this.refusedUntilUs, this.scheduler.nowUs + ms * 1_000)
  }

  /** Lines that a host has dialled and that are still open at one end. */
  linesOf(host: Host): readonly Line[] {
    return this.lines.filter((line) => line.open && line.near.owner === host)
  }

  /** The process is gone: its peers get a reset, after a while, and what it had not sent is lost. */
  crash(host: Host): void {
    host.crash()
    for (const listening of this.listening.filter((one) => one.host === host))
      this.listening.splice(this.listening.indexOf(listening), 1)
    for (const line of this.lines) {
      if (!line.open) continue
      const [own, other] = line.near.owner === host ? [line.near, line.far] : [line.far, line.near]
      if (own.owner !== host) continue
      own.lose('crashed')
      const delayUs = line.up.delayUs()
      const reset = (): void => other.lose('connection reset')
      this.scheduler.at(this.scheduler.nowUs + delayUs, EventKind.Reset, reset, other.owner)
    }
  }

  private listen(host: Host, options: ListenOptions): Promise<Listener> {
    const listening = { host, options }
    this.listening.push(listening)
    return Promise.resolve({
      address: 'simulated',
      port: 0,
      close: () => {
        const at = this.listening.indexOf(listening)
        if (at >= 0) this.listening.splice(at, 1)
        return Promise.resolve()
      },
    })
  }

  private dial(host: Host, options: DialOptions): Promise<Link> {
    const { scheduler } = this
    const [least, most] = this.profile.delayMs
    const oneWayUs = (): number => Math.round(this.choices.between(least, most) * 1_000)
    return new Promise((resolve, reject) => {
      let over = false
      const settle = (work: () => void): void => {
        if (over) return
        over = true
        options.signal.removeEventListener('abort', onAbort)
        scheduler.enter()
        work()
      }
      const onAbort = (): void => settle(() => reject(new Error('aborted')))
      options.signal.addEventListener('abort', onAbort)
      const refuse = (): void => {
        this.refused += 1
        const back = (): void => settle(() => reject(new Error('ECONNREFUSED')))
        scheduler.at(scheduler.nowUs + oneWayUs(), EventKind.Dial, back, host)
      }
      const arrive = (): void => {
        if (over) return
        const target = this.target()
        if (target === undefined || this.refusedUntilUs > scheduler.nowUs) return refuse()
        const line = this.connect(host, target, options)
        const accept = (): void => {
          scheduler.enter()
          if (target.host.crashed) line.near.lose('connection reset')
          else target.options.onLink(line.far)
        }
        scheduler.at(scheduler.nowUs, EventKind.Accept, accept, target.host)
        const connected = (): void => {
          if (over) line.near.abort('given up')
          else settle(() => resolve(line.near))
        }
        scheduler.at(scheduler.nowUs + oneWayUs(), EventKind.Dial, connected, host)
      }
      scheduler.at(scheduler.nowUs + oneWayUs(), EventKind.Dial, arrive)
    })
  }

  /** Mostly the one that listens longest, as balancers like to stay where they are. */
  private target(): Listening | undefined {
    if (this.listening.length === 0) return undefined
    return this.choices.chance(0.7) ? this.listening[0] : this.choices.pick(this.listening)
  }

  private connect(host: Host, target: Listening, options: DialOptions): Line {
    const ordinal = this.lines.length + 1
    const tampers = { near: this.tamper(host), far: this.tamper(target.host) }
    const line = new Line({
      scheduler: this.scheduler,
      random: this.random,
      profile: this.profile,
      ordinal,
      near: host,
      far: target.host,
      maxFrame: { near: options.maxFrame, far: target.options.maxFrame },
      tap: this.tap,
      tamper:
        tampers.near === undefined && tampers.far === undefined
          ? undefined
          : (end, frame) => tampers[end.side]?.(end, frame) ?? [frame],
    })
    this.lines.push(line)
    return line
  }
}
