// How calls end before their answer: deadlines, cancel, readers that leave.
//   in  -> a caller of `conf`
//   out -> cases C59, C61, C64, C66 to C68, C71, C72

import { safe } from '@callbox/core'
import type { AbortSignalLike } from '@callbox/core/internal'
import { newId } from './call-kinds.ts'
import type { CallCase, Caller } from './case.ts'
import { equal, eventually, failureOf, holds, matches } from './expect.ts'

const isTold = (caller: Caller, id: string): Promise<void> =>
  eventually(async () => equal(await caller.aborted(id), true, `the handler of ${id} is told`))

const deadlineCases: readonly CallCase[] = [
  {
    id: 'C59',
    title: 'a deadline ends a handler that sleeps, and its signal fires',
    async run(caller) {
      for (const timeoutMs of [1, 50]) {
        const id = newId()
        const error = await failureOf(caller.hang(id, { timeoutMs }))
        equal(error.code, 'deadline_exceeded')
        // Where the REQUEST waited for its turn until then, it says `no`.
        if (timeoutMs > 1) {
          holds(error.processed !== 'no', 'it says that nothing ran')
          await isTold(caller, id)
        }
      }
    },
  },
  {
    id: 'C61',
    title: 'a deadline of 0 has passed and fails here, one that cannot be is no deadline',
    async run(caller) {
      const passed = await failureOf(caller.nothing(undefined, { timeoutMs: 0 }))
      matches(passed, { code: 'deadline_exceeded', processed: 'no' })
      const wrong = await failureOf(caller.nothing(undefined, { timeoutMs: -1 }))
      matches(wrong, { code: 'invalid_argument', processed: 'no' })
    },
  },
  {
    id: 'C64',
    title: 'a deadline in a stream: the items before it, then the error',
    async run(caller) {
      const seen: number[] = []
      const id = newId()
      const failed = (async () => {
        for await (const n of caller.hangStream({ id, items: 3 }, { timeoutMs: 300 })) seen.push(n)
      })()
      matches(await failureOf(failed), { code: 'deadline_exceeded', processed: 'yes' })
      equal(seen, [0, 1, 2])
      await isTold(caller, id)
    },
  },
]

const cancelCases: readonly CallCase[] = [
  {
    id: 'C66',
    title: 'cancel before the start, after the begin, after an item, after the end',
    async run(caller) {
      const before = caller.nothing(undefined, { signal: AbortSignal.abort() })
      matches(await failureOf(before), { code: 'cancelled', processed: 'no' })

      const begun = new AbortController()
      const id = newId()
      const call = safe(caller.hang(id, { signal: begun.signal }))
      await caller.nothing()
      begun.abort()
      begun.abort()
      matches((await call)[0], { code: 'cancelled', processed: 'unknown' })
      await isTold(caller, id)

      const flowing = new AbortController()
      const stream = caller.hangStream({ id: newId(), items: 1 }, { signal: flowing.signal })
      await stream.next()
      flowing.abort()
      matches(await failureOf(stream.next()), { code: 'cancelled', processed: 'yes' })

      const late = new AbortController()
      await caller.nothing(undefined, { signal: late.signal })
      late.abort()
    },
  },
  {
    id: 'C66',
    title: 'cancel after the caller has ended its upload',
    async run(caller) {
      const controller = new AbortController()
      const id = newId()
      async function* one(): AsyncGenerator<string> {
        yield 'item'
      }
      const call = safe(caller.hangUpload({ id }, one(), { signal: controller.signal }))
      await eventually(async () => equal(await caller.hasBegun(id), true, 'begun'))
      controller.abort()
      matches((await call)[0], { code: 'cancelled', processed: 'unknown' })
      await isTold(caller, id)
    },
  },
  {
    id: 'C67',
    title: 'every kind of call, before or after END and items, cancelled: the handler is told',
    async run(caller) {
      for (const sent of [0, 1])
        for (const ended of [false, true]) await cancelAll(caller, sent, ended)
    },
  },
  {
    id: 'C68',
    title: 'break out of a loop: the handler is told, its generator runs its `finally`',
    async run(caller) {
      const id = newId()
      for await (const n of caller.hangStream({ id, items: 1 })) {
        equal(n, 0)
        break
      }
      await isTold(caller, id)
      const producing = newId()
      for await (const item of caller.produce({ id: producing, items: 1_000, bytes: 10 })) {
        equal(item.length, 10)
        break
      }
      // Only its `finally` says so.
      await isTold(caller, producing)
    },
  },
  {
    id: 'C71',
    title: 'a handler that ignores its signal: its output is dropped',
    async run(caller) {
      const id = newId()
      const controller = new AbortController()
      const call = safe(caller.stubborn(id, { signal: controller.signal }))
      await eventually(async () => equal(await caller.hasBegun(id), true, 'begun'))
      controller.abort()
      matches((await call)[0], { code: 'cancelled', processed: 'unknown' })
      await isTold(caller, id)
      await caller.release(id)
      equal(await caller.values('after it'), 'after it')
    },
  },
]

async function cancelAll(caller: Caller, sent: number, ended: boolean): Promise<void> {
  const ids = [newId(), newId(), newId(), newId()] as const
  const controller = new AbortController()
  const { signal } = controller
  async function* uploads(): AsyncGenerator<string> {
    for (let n = 0; n < sent; n += 1) yield 'item'
    if (!ended) await new Promise((resolve) => signal.addEventListener('abort', resolve))
  }
  const unary = safe(caller.hang(ids[3], { signal }))
  const upload = safe(caller.hangUpload({ id: ids[0] }, uploads(), { signal }))
  const stream = caller.hangStream({ id: ids[1], items: sent }, { signal })
  const both = caller.hangBoth({ id: ids[2], items: sent }, { signal })
  for (let n = 0; n < sent; n += 1)
    await Promise.all([both.send('item'), stream.next(), both.next()])
  if (ended) both.end()
  for (const id of ids)
    await eventually(async () => equal(await caller.hasBegun(id), true, `begun: ${id}`))
  controller.abort()
  for (const [error] of await Promise.all([unary, upload]))
    matches(error, { code: 'cancelled', processed: 'unknown' })
  const processed = sent === 0 ? 'unknown' : 'yes'
  for (const items of [stream, both])
    matches(await failureOf(items.next()), { code: 'cancelled', processed })
  for (const id of ids) await isTold(caller, id)
}

/** Counts who listens. */
class CountingSignal implements AbortSignalLike {
  readonly aborted = false
  readonly reason: unknown = undefined
  readonly listeners: Set<() => void> = new Set()
  most = 0

  addEventListener(_: 'abort', listener: () => void): void {
    this.listeners.add(listener)
    this.most = Math.max(this.most, this.listeners.size)
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.listeners.delete(listener)
  }
}

const signalCases: readonly CallCase[] = [
  {
    id: 'C72',
    title: '100,000 calls with one long-lived AbortSignal: no listener is left on it',
    alone: true,
    async run(caller, { amount }) {
      const signal = new CountingSignal()
      const rounds = amount === 'full' ? 500 : 5
      for (let round = 0; round < rounds; round += 1)
        await Promise.all(Array.from({ length: 200 }, () => caller.nothing(undefined, { signal })))
      const items = caller.hangStream({ id: newId(), items: 1 }, { signal })
      await items.next()
      equal(signal.listeners.size, 1, 'listeners of an open stream')
      items.cancel()
      equal(signal.listeners.size, 0, 'listeners')
      holds(signal.most > 1, 'nobody ever listened')
    },
  },
]

export const endingCases: readonly CallCase[] = [...deadlineCases, ...cancelCases, ...signalCases]
