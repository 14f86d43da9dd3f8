// A client and a server whose session is cut again and again, on the virtual clock.
//   in  -> faults of a `Cuttable`; options
//   out -> every kind of call, in both directions; what ran how often

import { createClient, type Client, type ClientOptions } from '@callbox/client'
import { bidi, clientStream, contract, event, serverStream, unary } from '@callbox/core'
import { createServer, implement, silent, type Server, type ServerOptions } from '@callbox/server'
import type { Clock } from '@callbox/core/internal'
import { VirtualClock } from '@callbox/testing'
import * as T from 'typebox'
import { Cuttable } from './cuttable.ts'

const Text = T.String()
const Count = T.Integer()

export const world = contract(
  'world',
  {
    echo: unary({ input: Text, output: Text }),
    /** Answers when `release` is called. */
    wait: unary({ input: Text, output: Text }),
    again: unary({ input: Text, output: Text, idempotent: true }),
    count: serverStream({ input: Count, output: Count }),
    sum: clientStream({ input: Count, output: Count }),
    /** Takes nothing until `release` is called. */
    idle: clientStream({ input: Count }),
    double: bidi({ input: Count, output: Count }),
    note: event({ input: Text }),
    /** Calls the client back. */
    ask: unary({ input: Text, output: Text }),
    history: serverStream({ output: Count, resumable: Count }),
  },
  { client: { confirm: unary({ input: Text, output: Text }), tell: event({ input: Text }) } },
)

export interface World {
  readonly clock: VirtualClock
  readonly transport: Cuttable
  readonly server: Server
  readonly client: Client<{ world: typeof world }>
  /** Every start of a handler, on either side, in order. */
  readonly ran: string[]
  /** What became of the client's connection. */
  readonly told: string[]
  /** Lets the handlers of `wait` answer. */
  release(): void
  /** Moves time on until `work` has settled; at most 200 s. */
  until<R>(work: Promise<R>): Promise<R>
  close(): Promise<void>
}

export interface WorldOptions {
  readonly client?: ClientOptions
  readonly server?: Partial<Pick<ServerOptions<[], unknown>, 'limits' | 'authenticate' | 'metrics'>>
  readonly seed?: number
  /** Handlers of `wait` end when their signal fires, and say so. */
  readonly aborts?: boolean
  /** Default: the world's own. */
  readonly serverClock?: (clock: VirtualClock) => Clock
  readonly clientClock?: (clock: VirtualClock) => Clock
}

export async function setUp(options: WorldOptions = {}): Promise<World> {
  const clock = new VirtualClock(options.seed ?? 1)
  const transport = new Cuttable()
  const ran: string[] = []
  const told: string[] = []
  const gate = new Gate()
  const server = serverOf(options.serverClock?.(clock) ?? clock, ran, gate, options)
  await server.listen(transport)
  const client = createClient({ world }, transport, {
    clock: options.clientClock?.(clock) ?? clock,
    ...options.client,
  })
  client.handle(world, {
    confirm: (text) => {
      ran.push(`confirm ${text}`)
      return `confirmed ${text}`
    },
    tell: (text) => void ran.push(`tell ${text}`),
  })
  client.on('resumed', () => told.push('resumed'))
  client.on('sessionLost', () => told.push('sessionLost'))
  const until = async <R>(work: Promise<R>): Promise<R> => {
    let over = false
    const watched = work.finally(() => {
      over = true
    })
    watched.catch(() => undefined)
    for (let ms = 0; !over && ms < 200_000; ms += 50) await clock.advance(50)
    if (!over) throw new Error('nothing came of it in 200 s')
    return watched
  }
  const close = async (): Promise<void> => {
    gate.release()
    await until(client.close())
    await until(server.close({ graceMs: 100 }))
  }
  return {
    clock,
    transport,
    server,
    client,
    ran,
    told,
    until,
    close,
    release: () => gate.release(),
  }
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted')))
}

class Gate {
  private waiting: (() => void)[] = []

  pass(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  release(): void {
    for (const resolve of this.waiting) resolve()
    this.waiting = []
  }
}

export function serverOf(
  clock: Clock,
  ran: string[],
  gate: Gate = new Gate(),
  options: WorldOptions = {},
): Server {
  const service = implement(world, {
    echo: (text) => {
      ran.push(`echo ${text}`)
      return text
    },
    wait: async (text, { signal }) => {
      ran.push(`wait ${text}`)
      const passed = gate.pass()
      if (options.aborts !== true) await passed
      else if ((await Promise.race([passed, aborted(signal)])) === 'aborted')
        ran.push(`aborted ${text}`)
      return text
    },
    again: (text) => {
      ran.push(`again ${text}`)
      return text
    },
    count: async function* (to) {
      ran.push(`count ${to}`)
      for (let n = 1; n <= to; n += 1) yield n
    },
    sum: async (_, { input }) => {
      ran.push('sum')
      let sum = 0
      for await (const n of input) sum += n
      return sum
    },
    idle: async () => {
      await gate.pass()
    },
    double: async function* (_, { input }) {
      ran.push('double')
      for await (const n of input) yield n * 2
    },
    note: (text) => void ran.push(`note ${text}`),
    ask: async (text, { client }) => {
      ran.push(`ask ${text}`)
      await client.tell(text)
      return client.confirm(text)
    },
    history: async function* (_, call) {
      ran.push(`history ${call.cursor ?? 'from the start'}`)
      for (let n = (call.cursor ?? 0) + 1; n <= 20; n += 1) yield call.at(n, n)
    },
  })
  return createServer({ services: [service], logger: silent, clock, ...options.server })
}

export async function numbersOf(items: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = []
  for await (const n of items) all.push(n)
  return all
}

/** A conversation of every kind of call, and what it must come to, whatever happens to the links. */
export async function converse({ client }: World): Promise<unknown> {
  const duplex = async (): Promise<number[]> => {
    const stream = client.world.double()
    const answers: number[] = []
    for (const n of [1, 2, 3]) {
      await stream.send(n)
      const { value } = await stream.next()
      answers.push(value as number)
    }
    stream.end()
    return [...answers, ...(await numbersOf(stream))]
  }
  return Promise.all([
    client.world.echo('a'),
    numbersOf(client.world.count(6)),
    client.world.sum(from([1, 2, 3, 4])),
    duplex(),
    client.world.note('n'),
    client.world.ask('q'),
    client.world.echo('x'.repeat(150_000)).then((text) => text.length),
  ])
}

export const conversation = [
  'a',
  [1, 2, 3, 4, 5, 6],
  10,
  [2, 4, 6],
  undefined,
  'confirmed q',
  150_000,
]

/** Each handler of the conversation, once. */
export const conversationRan = [
  'ask q',
  'confirm q',
  'count 6',
  'double',
  'echo a',
  `echo ${'x'.repeat(150_000)}`,
  'note n',
  'sum',
  'tell q',
]

async function* from(items: readonly number[]): AsyncGenerator<number> {
  for (const item of items) yield item
}
