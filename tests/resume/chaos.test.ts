// Every kind of call under every kind of fault, at random, on the virtual clock: what was promised holds.
// A seed that fails is run again by `CALLBOX_SEED`; it does the same thing everywhere.

import { createClient, type Client, type RpcError } from '@callbox/client'
import { bidi, clientStream, contract, event, serverStream, unary } from '@callbox/core'
import { createServer, implement, silent, type Server } from '@callbox/server'
import { VirtualClock } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { faultSizes } from '../sizes.ts'
import { Cuttable } from './cuttable.ts'

const Text = T.String()
const Count = T.Integer()

const chaos = contract(
  'chaos',
  {
    once: unary({ input: Text, output: Text }),
    again: unary({ input: Text, output: Text, idempotent: true }),
    /** Takes so many milliseconds. */
    slow: unary({ input: T.Object({ key: Text, ms: Count }), output: Text }),
    count: serverStream({ input: T.Object({ key: Text, to: Count }), output: Count }),
    sum: clientStream({ params: Text, input: Count, output: Count }),
    double: bidi({ params: Text, input: Count, output: Count }),
    history: serverStream({ input: Text, output: Count, resumable: Count }),
    note: event({ input: Text }),
    ask: unary({ input: Text, output: Text }),
  },
  { client: { confirm: unary({ input: Text, output: Text }) } },
)

const workMs = 15_000
/** Watchdog, longest pause and handshake: after it everything must be well again. */
const calmMs = 75_000

/** mulberry32: its own, so that chance of the clock does not move it. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

class Run {
  readonly clock: VirtualClock
  readonly transport = new Cuttable()
  readonly random: () => number
  /** How often a handler has begun, by key. */
  readonly begun = new Map<string, number>()
  readonly wrong: string[] = []
  open = 0
  settled = 0
  private keys = 0
  private server!: Server
  private readonly old: Promise<void>[] = []
  private client!: Client<{ chaos: typeof chaos }>

  constructor(seed: number) {
    this.clock = new VirtualClock(seed)
    this.random = randomFrom(seed * 7_919)
  }

  pick(most: number): number {
    return Math.floor(this.random() * most)
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(resolve, ms))
  }

  begin(key: string): void {
    this.begun.set(key, (this.begun.get(key) ?? 0) + 1)
  }

  async serve(): Promise<void> {
    const { clock } = this
    const services = [serviceOf(this)]
    const limits = { preset: 'fast', replayRing: 256 * 1024, window: 128 * 1024 } as const
    this.server = createServer({ services, logger: silent, clock, limits })
    for (let tries = 0; ; tries += 1)
      try {
        await this.server.listen(this.transport)
        return
      } catch (error) {
        // The one before it is still there.
        if (tries > 500) throw error
        await this.pause(50)
      }
  }

  connect(): void {
    const limits = {
      preset: 'fast',
      replayRing: 256 * 1024,
      window: 128 * 1024,
      // A call that is sent again for want of a session must not fail for another reason.
      maxAttempts: 50,
      retryBudget: 10_000,
    } as const
    this.client = createClient({ chaos }, this.transport, { clock: this.clock, limits })
    this.client.handle(chaos, {
      confirm: (key) => {
        this.begin(`confirm ${key}`)
        return `${key}!`
      },
    })
  }

  // Work

  private track(kind: string, work: (key: string) => Promise<void>): void {
    const key = `${kind} ${(this.keys += 1)}`
    this.open += 1
    let ends = 0
    void work(key)
      .catch((error: unknown) => this.judge(kind, key, error as RpcError))
      .finally(() => {
        ends += 1
        if (ends > 1) this.wrong.push(`${key} settled twice`)
        this.open -= 1
        this.settled += 1
      })
  }

  /** What a failed call says of itself must be true. */
  private judge(kind: string, key: string, error: RpcError): void {
    const began = this.begun.get(key) ?? 0
    const { code, processed } = error
    if (code === undefined) this.wrong.push(`${key}: ${String(error)}`)
    if (processed === 'no' && began > 0) this.wrong.push(`${key} ran, said ${code} no`)
    if (code === 'protocol' || code === 'internal' || code === 'flow_control')
      this.wrong.push(`${key} ${code}: ${error.message}`)
    if (kind === 'again' && code === 'session_lost') this.wrong.push(`${key} not sent again`)
  }

  private answered(key: string, got: unknown, expected: unknown): void {
    if (got !== expected) this.wrong.push(`${key} answered ${String(got)}`)
    if ((this.begun.get(key) ?? 0) === 0) this.wrong.push(`${key} answered and never ran`)
  }

  work(): void {
    const { chaos: calls } = this.client
    const timeoutMs = this.random() < 0.3 ? 20 + this.pick(5_000) : 60_000
    const controller = new AbortController()
    if (this.random() < 0.15) void this.pause(this.pick(1_000)).then(() => controller.abort())
    const options = { timeoutMs, signal: controller.signal }
    const kinds: readonly (() => void)[] = [
      () =>
        this.track('once', async (key) =>
          this.answered(key, await calls.once(key, options), `${key}!`),
        ),
      () =>
        this.track('again', async (key) => this.answered(key, await calls.again(key), `${key}!`)),
      () =>
        this.track('slow', async (key) => {
          const ms = this.pick(2_000)
          this.answered(key, await calls.slow({ key, ms }, options), `${key}!`)
        }),
      () =>
        this.track('large', async (key) => {
          const text = key + 'x'.repeat(this.pick(400_000))
          // Its key is its text: what runs twice is found all the same.
          const answer = await calls.once(text, options)
          if (answer !== `${text}!`) this.wrong.push(`${key} answered something else`)
        }),
      () => this.track('count', (key) => this.reads(key, options)),
      () => this.track('sum', (key) => this.uploads(key, options)),
      () => this.track('double', (key) => this.talks(key, options)),
      () => this.track('history', (key) => this.remembers(key)),
      () => this.track('note', async (key) => calls.note(key)),
      () =>
        this.track('ask', async (key) =>
          this.answered(key, await calls.ask(key, options), `${key}!`),
        ),
    ]
    kinds[this.pick(kinds.length)]!()
  }

  private async reads(key: string, options: object): Promise<void> {
    const to = this.pick(3_000)
    const leaveAt = this.random() < 0.2 ? this.pick(100) : Infinity
    let last = 0
    for await (const n of this.client.chaos.count({ key, to }, options)) {
      if (n !== last + 1) this.wrong.push(`${key} item ${n} behind ${last}`)
      last = n
      if (n === leaveAt) return
      if (n % 500 === 0) await this.pause(this.pick(50))
    }
    if (last !== to) this.wrong.push(`${key} ended at ${last} of ${to}`)
  }

  private async uploads(key: string, options: object): Promise<void> {
    const to = this.pick(300)
    const { pause } = this
    const items = async function* (run: Run): AsyncGenerator<number> {
      for (let n = 1; n <= to; n += 1) {
        yield n
        if (n % 50 === 0) await pause.call(run, 20)
      }
    }
    const sum = await this.client.chaos.sum(key, items(this), options)
    this.answered(key, sum, (to * (to + 1)) / 2)
  }

  private async talks(key: string, options: object): Promise<void> {
    const stream = this.client.chaos.double(key, options)
    for (let n = 1; n <= 10; n += 1) {
      await stream.send(n)
      const { value, done } = await stream.next()
      if (done === true) return this.answered(key, 'an early end', '')
      if (value !== 2 * n) this.wrong.push(`${key} heard ${String(value)} for ${n}`)
      await this.pause(this.pick(100))
    }
    stream.end()
    if ((await stream.next()).done !== true) this.wrong.push(`${key} goes on`)
  }

  private async remembers(key: string): Promise<void> {
    let last = 0
    for await (const n of this.client.chaos.history(key, { cursor: 0 })) {
      if (n !== last + 1) this.wrong.push(`${key} item ${n} behind ${last}`)
      last = n
    }
    if (last !== 60) this.wrong.push(`${key} ended at ${last}`)
  }

  // Faults

  async fault(): Promise<void> {
    const { transport } = this
    const line = transport.lines.at(-1)
    const faults: readonly (() => void | Promise<void>)[] = [
      () => line?.cut(),
      () => line?.cut(),
      () => line?.cutClient(),
      () => line?.blackhole(),
      () => this.delayed(line, 'up'),
      () => this.delayed(line, 'down'),
      () => this.downFor(this.pick(3_000)),
      () => {
        transport.fate = () =>
          this.random() > 0.05 ? 'pass' : this.random() < 0.5 ? 'cut before' : 'cut after'
        void this.pause(500).then(() => {
          transport.fate = () => 'pass'
        })
      },
      () => (this.random() < 0.4 ? this.restart() : undefined),
      () => (this.random() < 0.4 ? this.replace() : undefined),
    ]
    await faults[this.pick(faults.length)]!()
  }

  private delayed(line: Cuttable['line'] | undefined, way: 'up' | 'down'): void {
    line?.hold(way)
    void this.pause(this.pick(4_000)).then(() => line?.letGo(way))
  }

  private async downFor(ms: number): Promise<void> {
    this.transport.down = true
    this.transport.lines.at(-1)?.cut()
    await this.pause(ms)
    this.transport.down = false
  }

  /** The server is killed: nothing that it says arrives, and its successor knows nothing. */
  private async restart(): Promise<void> {
    this.transport.down = true
    for (const line of this.transport.lines) line.cut()
    this.old.push(this.server.close({ graceMs: 0 }))
    await this.pause(this.pick(1_000))
    await this.serve()
    this.transport.down = false
  }

  private async replace(): Promise<void> {
    this.old.push(this.server.close({ graceMs: 5_000, acceptMs: 500, spreadMs: 100 }))
    await this.serve()
  }

  // All of it

  async play(): Promise<readonly string[]> {
    await this.serve()
    this.connect()
    let busy = true
    const faults = (async () => {
      while (busy) {
        await this.pause(this.pick(1_500))
        await this.fault()
      }
    })()
    const work = (async () => {
      while (busy) {
        this.work()
        await this.pause(this.pick(100))
      }
    })()
    await this.clock.advance(workMs)
    busy = false
    await this.clock.advance(6_000)
    await Promise.all([faults, work])
    this.transport.fate = () => 'pass'
    await this.clock.advance(calmMs)
    if (this.open > 0) this.wrong.push(`${this.open} calls still open`)
    if (this.client.state !== 'connected') this.wrong.push(`the client is ${this.client.state}`)
    for (const [key, times] of this.begun)
      if (times > 1 && !key.startsWith('again'))
        this.wrong.push(`${key.slice(0, 20)} ran ${times} times`)
    await this.close()
    return this.wrong
  }

  private async close(): Promise<void> {
    const closing = Promise.all([
      this.client.close(),
      ...this.old,
      this.server.close({ graceMs: 0 }),
    ])
    await this.clock.advance(40_000)
    await closing
    await this.clock.settle()
    if (this.clock.pendingTimers > 0) this.wrong.push(`${this.clock.pendingTimers} timers are left`)
    const { connections } = this.server.inspect()
    if (connections.length > 0) this.wrong.push(`${connections.length} sessions are left`)
  }
}

function serviceOf(run: Run) {
  return implement(chaos, {
    once: (key) => (run.begin(key), `${key}!`),
    again: (key) => (run.begin(key), `${key}!`),
    slow: async ({ key, ms }) => {
      run.begin(key)
      await run.pause(ms)
      return `${key}!`
    },
    count: async function* ({ key, to }) {
      run.begin(key)
      for (let n = 1; n <= to; n += 1) yield n
    },
    sum: async (key, { input }) => {
      run.begin(key)
      let sum = 0
      for await (const n of input) sum += n
      return sum
    },
    double: async function* (key, { input }) {
      run.begin(key)
      for await (const n of input) yield 2 * n
    },
    history: async function* (_key, call) {
      for (let n = (call.cursor ?? 0) + 1; n <= 60; n += 1) {
        yield call.at(n, n)
        await run.pause(100)
      }
    },
    note: (key) => run.begin(key),
    ask: async (key, { client }) => {
      run.begin(key)
      return client.confirm(key)
    },
  })
}

/** `CALLBOX_SEED` is one seed, or the first and the last: `17`, `100-200`. */
function chosenSeeds(): readonly number[] {
  const { CALLBOX_SEED: chosen = `1-${faultSizes.chaosSeeds}` } = process.env
  const [first = 1, last = first] = chosen.split('-').map(Number)
  return Array.from({ length: last - first + 1 }, (_, n) => first + n)
}

const seeds = chosenSeeds()

test(
  `${seeds.length} seeds of calls and faults at random: nothing runs twice, nothing lies, all is well afterwards [case C95] [case C96] [case C112]`,
  { timeout: 60_000 + 2_000 * seeds.length },
  async () => {
    let settled = 0
    for (const seed of seeds) {
      const run = new Run(seed)
      expect(await run.play(), `CALLBOX_SEED=${seed}`).toEqual([])
      settled += run.settled
    }
    expect(settled).toBeGreaterThan(100 * seeds.length)
  },
)
