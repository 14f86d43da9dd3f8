// What the fleets of the process tests speak, and how a program of a fleet is started and told things.
//   in  -> name and options of a program
//   out -> its process, its lines of JSON

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { contract, serverStream, unary } from '@callbox/core'
import * as T from 'typebox'

const Text = T.String()

export const fleet = contract('fleet', {
  /** Writes its input down each time it runs. */
  once: unary({ input: Text, output: Text }),
  /** The same, and takes a while. */
  slow: unary({ input: Text, output: Text }),
  again: unary({ input: Text, output: Text, idempotent: true }),
  /** 1, 2, 3 and so on, one each 20 ms. */
  ticks: serverStream({ output: T.Integer() }),
})

/** Limits that a fleet's program takes from its command line. */
export interface FleetLimits {
  readonly preset?: 'internet' | 'fast'
  readonly maxConnections?: number
}

export interface FleetServerOptions {
  /** 0 for any. */
  readonly port: number
  /** File that `once` and `slow` append to. */
  readonly log: string
  /** Listens only when it is told so: a successor that is ready. */
  readonly waits?: boolean
  readonly limits?: FleetLimits
}

export interface FleetClientsOptions {
  /** Servers to connect to, in turn. */
  readonly ports: readonly number[]
  readonly clients: number
  /** Pause between two calls of one client, on average, in milliseconds. 0: no calls. */
  readonly everyMs: number
  /** Whether each client reads `ticks` as well. */
  readonly stream?: boolean
  readonly limits?: FleetLimits
}

export interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly connections: number
}

/** What clients have to say at the end. */
export interface FleetReport {
  /** Calls that were answered. */
  readonly ok: number
  /** How many failed, by method, code and processed. */
  readonly failed: Readonly<Record<string, number>>
  readonly resumed: number
  readonly lost: number
  /** Items that did not follow the one before. */
  readonly gaps: number
  readonly items: number
}

/** What clients say once all are back after `mark`. */
export interface FleetReturn {
  /** Until the last one was back, in milliseconds. */
  readonly backMs: number
  /** Attempts to connect, by the tenth of a second. */
  readonly attempts: readonly number[]
}

/** A program of `tests/processes`, which speaks in lines of JSON. */
export class Program {
  readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>

  constructor(name: string, options: unknown) {
    const run = ['--expose-gc', '--conditions=@callbox/source', '--import', 'tsx']
    this.child = spawn(
      process.execPath,
      [...run, `tests/processes/${name}`, JSON.stringify(options)],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  /** Its next line. Rejects when it has ended. */
  async next<T>(): Promise<T> {
    const { value, done } = await this.lines.next()
    if (done === true) throw new Error('the program has ended')
    return JSON.parse(value) as T
  }

  tell(command: string): void {
    this.child.stdin!.write(`${command}\n`)
  }

  async ask<T>(command: string): Promise<T> {
    this.tell(command)
    return this.next<T>()
  }

  /** Settles with its exit code, null after a signal. */
  async exit(signal?: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode
    const exit = once(this.child, 'exit')
    if (signal !== undefined) this.child.kill(signal)
    const [code] = (await exit) as [number | null]
    return code
  }
}

/** How many files this process may have open: sockets are files. */
export function descriptorLimit(): number {
  const report = process.report.getReport() as unknown as {
    readonly userLimits: { readonly open_files: { readonly soft: number | 'unlimited' } }
  }
  const { soft } = report.userLimits.open_files
  return soft === 'unlimited' ? 1_048_576 : soft
}
