// Every kind of call, as its caller sees it: items, order, ends, many at once.
//   in  -> a caller of `conf`
//   out -> cases C29 to C39, C41, C47, C48, C74, C75, C77

import { safe } from '@callbox/core'
import type { CallCase, Caller } from './case.ts'
import { equal, eventually, failureOf, holds, matches } from './expect.ts'

/** Items of an upload. */
export async function* items<T>(...all: readonly T[]): AsyncGenerator<T> {
  yield* all
}

/** All items of a stream. */
export async function listed<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of stream) all.push(item)
  return all
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
const sized = (...sizes: readonly number[]): readonly Uint8Array<ArrayBuffer>[] =>
  sizes.map((size) => new Uint8Array(size))

/** For what takes long where the machine has other work. */
const patience = { timeoutMs: 110_000 }

let serial = 0

/** A name that no other call has, in any process that runs these cases. */
export function newId(): string {
  serial += 1
  return `call ${serial} of ${Date.now()} ${Math.random()}`
}

const unaryCases: readonly CallCase[] = [
  {
    id: 'C29',
    title: 'unary with nothing in and nothing out',
    run: async (caller) => equal(await caller.nothing(), undefined),
  },
  {
    id: 'C30',
    title: 'unary, 271,828 bytes in and 314,159 out',
    async run(caller) {
      const bytes = new Uint8Array(271_828).map((_, index) => index * 31)
      equal(await caller.size(bytes), bytes)
      equal(await caller.bytes(314_159), new Uint8Array(314_159).fill(7))
    },
  },
  {
    id: 'C47',
    title: '10,000 pipelined calls, a fragmented one among them',
    async run(caller, { amount }) {
      const large = caller.size(new Uint8Array(300_000))
      const rounds = amount === 'full' ? 10 : 2
      for (let round = 0; round < rounds; round += 1) {
        const sent = numbers(1_000).map((n) => round * 1_000 + n)
        equal(await Promise.all(sent.map((n) => caller.values(n))), sent)
      }
      equal((await large).length, 300_000)
    },
  },
  {
    id: 'C48',
    title: '1,000 concurrent large calls, then 5,000 concurrent small ones',
    alone: true,
    async run(caller, { amount }) {
      const [large, small] = amount === 'full' ? [1_000, 5_000] : [50, 1_000]
      const bytes = new Uint8Array(271_828).map((_, index) => index)
      const sums = await Promise.all(numbers(large).map(() => caller.checksum(bytes, patience)))
      equal([new Set(sums).size, sums.length], [1, large])
      equal(
        await Promise.all(numbers(small).map((n) => caller.values(n, patience))),
        numbers(small),
      )
    },
  },
]

const streamCases: readonly CallCase[] = [
  {
    id: 'C31',
    title: 'client stream of four items',
    run: async (caller) =>
      equal(await caller.upload(items(...sized(27_182, 8, 1_828, 45_904))), 74_922),
  },
  {
    id: 'C32',
    title: 'client stream without items',
    run: async (caller) => equal(await caller.upload(items()), 0),
  },
  {
    id: 'C33',
    title: 'server stream of four items, in order',
    async run(caller) {
      const sizes = [31_415, 9, 2_653, 58_979]
      const got = await listed(caller.download(sizes))
      equal(
        got.map(({ length }) => length),
        sizes,
      )
    },
  },
  {
    id: 'C34',
    title: 'server stream without items',
    run: async (caller) => equal(await listed(caller.download([])), []),
  },
  {
    id: 'C35',
    title: 'bidi in lock step, 100 rounds',
    async run(caller) {
      const both = caller.echo()
      for (let round = 0; round < 100; round += 1) {
        await both.send(`${round}`)
        equal((await both.next()).value, `${round}!`)
      }
      both.end()
      equal((await both.next()).done, true)
    },
  },
  {
    id: 'C36',
    title: 'bidi, the caller ends at once',
    async run(caller) {
      const both = caller.echo()
      both.end()
      equal(await listed(both), [])
    },
  },
  {
    id: 'C37',
    title: 'bidi half duplex: all input, then all output',
    async run(caller) {
      const both = caller.collect()
      for (let n = 0; n < 50; n += 1) await both.send(`${n}`)
      both.end()
      equal(await listed(both), numbers(50).map(String))
    },
  },
  {
    id: 'C38',
    title: 'bidi, the callee speaks first',
    async run(caller) {
      const both = caller.speakFirst({ word: 'hello' })
      equal((await both.next()).value, 'hello')
      both.end()
      equal((await both.next()).done, true)
    },
  },
  {
    id: 'C39',
    title: 'client stream whose handler returns after the first item: the upload stops',
    async run(caller) {
      let closed = false
      async function* endless(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
        try {
          while (true) yield new Uint8Array(1_000)
        } finally {
          closed = true
        }
      }
      equal(await caller.first(endless()), 1_000)
      await eventually(() => holds(closed, 'the upload did not stop'))
    },
  },
]

const eventCases: readonly CallCase[] = [
  {
    id: 'C41',
    title: '1,000 events between calls arrive in order; an invalid one is dropped',
    alone: true,
    async run(caller) {
      await caller.notes()
      for (let n = 0; n < 1_000; n += 1) {
        void caller.note({ n })
        if (n % 100 === 0) await caller.nothing()
      }
      void safe(caller.note({ n: -1 }))
      equal(await caller.notes(), numbers(1_000))
    },
  },
  {
    id: 'C41',
    title: 'event handlers that wait for a call behind them do not hold it up',
    alone: true,
    async run(caller) {
      // The window of events takes about 1,900 of them (some 140 bytes each); the others wait here.
      const text = 'x'.repeat(20)
      const id = newId()
      const sent: ReturnType<typeof safe<void>>[] = []
      for (const n of numbers(2_400)) {
        sent.push(safe(caller.wait({ id, text })))
        // No more wait here than may.
        if (n % 200 === 0) await caller.nothing()
      }
      equal(await caller.values('behind them'), 'behind them')
      await caller.release(id)
      for (const [error] of await Promise.all(sent)) equal(error, undefined)
    },
  },
  {
    id: 'C41',
    title: 'an event that does not fit in a frame fails here',
    async run(caller) {
      const error = await failureOf(caller.note({ n: 1, text: 'x'.repeat(66_000) }))
      matches(error, { code: 'resource_exhausted', processed: 'no' })
    },
  },
]

/** What `ask` answers once it answers the same five times in a row. */
async function standing(ask: () => Promise<number>, least: number): Promise<number> {
  let last = -1
  let same = 0
  await eventually(async () => {
    const now = await ask()
    same = now === last && now >= least ? same + 1 : 0
    last = now
    holds(same >= 5, `it stands at ${now} and goes on`)
  })
  return last
}

const window = 262_144
const itemBytes = 1_000
/** What an item costs of the window: two or three bytes of msgpack around it, and 64 a frame. */
const itemCost = itemBytes + 3 + 64
const most = Math.ceil(window / itemCost)

const pressureCases: readonly CallCase[] = [
  {
    id: 'C74',
    title: 'a fast server stream and a slow reader: the generator stands a window ahead',
    async run(caller) {
      const id = newId()
      const stream = caller.produce({ id, items: 100_000, bytes: itemBytes })
      for (let n = 0; n < 10; n += 1) await stream.next()
      const given = await standing(() => caller.given(id), 100)
      holds(given <= 10 + most + 1, `${given} items are given, ${10 + most + 1} at the most`)
      for (let n = 0; n < 400; n += 1) await stream.next()
      holds((await standing(() => caller.given(id), given + 1)) > given, 'it does not go on')
      stream.cancel()
      await eventually(async () => equal(await caller.aborted(id), true, 'told'))
    },
  },
  {
    id: 'C75',
    title: 'a fast upload and a slow handler: the generator stands a window ahead',
    async run(caller) {
      const id = newId()
      let given = 0
      async function* uploads(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
        for (; given < 2_000; given += 1) yield new Uint8Array(itemBytes)
      }
      const total = caller.consume({ id, take: 10 }, uploads())
      const stood = await standing(async () => {
        await caller.nothing()
        return given
      }, 100)
      holds(stood <= 10 + most + 1, `${stood} items are given, ${10 + most + 1} at the most`)
      await caller.release(id)
      equal(await total, 2_000 * itemBytes)
    },
  },
  {
    id: 'C76',
    title: 'a paused reader of messages far larger than a frame: a window and one message',
    async run(caller) {
      const id = newId()
      const stream = caller.produce({ id, items: 100, bytes: 1_000_000 })
      await stream.next()
      const given = await standing(() => caller.given(id), 2)
      // One was read, one lies there whole, a window of what follows, and one that waits for it. The
      // window may have doubled three times while the first came: 2 MiB are two items more.
      holds(given <= 6, `${given} items are given`)
      stream.cancel()
      await eventually(async () => equal(await caller.aborted(id), true, 'told'))
    },
  },
  {
    id: 'C77',
    title: 'one unread stream, 100 others: the others run',
    async run(caller) {
      const unread = caller.produce({ id: newId(), items: 100_000, bytes: itemBytes })
      await unread.next()
      const others = numbers(100).map(() => listed(caller.download([1_000, 2_000, 3_000])))
      for (const got of await Promise.all(others)) equal(got.length, 3)
      unread.cancel()
    },
  },
  {
    id: 'C77',
    title: '100 unread streams with full windows, one other: the other runs',
    async run(caller) {
      const ids = numbers(100).map(newId)
      const unread = ids.map((id) => caller.produce({ id, items: 100_000, bytes: 60_000 }))
      for (const stream of unread) await stream.next()
      equal((await listed(caller.download([60_000, 9, 60_000]))).length, 3)
      equal((await caller.size(new Uint8Array(1_000_000))).length, 1_000_000)
      for (const stream of unread) stream.cancel()
      await eventually(async () => equal(await caller.aborted(ids[99]!), true, 'told'))
    },
  },
]

export const kindCases: readonly CallCase[] = [
  ...unaryCases,
  ...streamCases,
  ...eventCases,
  ...pressureCases,
]

/** A call on a connection that must be alive. */
export async function isAlive(caller: Pick<Caller, 'values'>): Promise<void> {
  equal(await caller.values('alive', { timeoutMs: 10_000 }), 'alive', 'a further call')
}
