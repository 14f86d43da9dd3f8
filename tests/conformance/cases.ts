// The shared cases, as data: what any caller sees of any callee, over any transport.

import { isError, RpcError, safe, type ClientCallsOf } from '@callbox/core'
import { expect } from 'vitest'
import { conf } from './contract.ts'

export type Caller = ClientCallsOf<typeof conf>

export interface Case {
  readonly title: string
  readonly run: (caller: Caller) => Promise<void>
}

async function* items<T>(...all: readonly T[]): AsyncGenerator<T> {
  yield* all
}

async function listed<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of stream) all.push(item)
  return all
}

const sized = (...sizes: readonly number[]): readonly Uint8Array<ArrayBuffer>[] =>
  sizes.map((size) => new Uint8Array(size))

let serial = 0
const newId = (): string => `call ${(serial += 1)}`
const abortedSoon = (caller: Caller, id: string): Promise<void> =>
  expect.poll(() => caller.aborted(), { timeout: 5_000 }).toContain(id)

const codes = [
  'cancelled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
] as const

export const cases: readonly Case[] = [
  {
    title: '[case C29] unary with nothing in and nothing out',
    run: async (caller) => expect(await caller.nothing()).toBeUndefined(),
  },
  {
    title: '[case C30] unary, 271,828 bytes in and out',
    async run(caller) {
      const bytes = new Uint8Array(271_828).map((_, index) => index * 31)
      expect(await caller.size(bytes)).toEqual(bytes)
      expect((await caller.size(new Uint8Array(314_159))).length).toBe(314_159)
    },
  },
  {
    title: '[case C31] client stream of four items',
    run: async (caller) =>
      expect(await caller.upload(items(...sized(27_182, 8, 1_828, 45_904)))).toBe(74_922),
  },
  {
    title: '[case C32] client stream without items',
    run: async (caller) => expect(await caller.upload(items())).toBe(0),
  },
  {
    title: '[case C33] server stream of four items, in order',
    async run(caller) {
      const sizes = [31_415, 9, 2_653, 58_979]
      expect((await listed(caller.download(sizes))).map(({ length }) => length)).toEqual(sizes)
    },
  },
  {
    title: '[case C34] server stream without items',
    run: async (caller) => expect(await listed(caller.download([]))).toEqual([]),
  },
  {
    title: '[case C35] bidi in lock step, 100 rounds',
    async run(caller) {
      const both = caller.echo()
      for (let round = 0; round < 100; round += 1) {
        await both.send(`${round}`)
        expect((await both.next()).value).toBe(`${round}!`)
      }
      both.end()
      expect((await both.next()).done).toBe(true)
    },
  },
  {
    title: '[case C36] bidi, the caller ends at once',
    async run(caller) {
      const both = caller.echo()
      both.end()
      expect(await listed(both)).toEqual([])
    },
  },
  {
    title: '[case C37] bidi half duplex: all input, then all output',
    async run(caller) {
      const both = caller.collect()
      for (let n = 0; n < 50; n += 1) await both.send(`${n}`)
      both.end()
      expect(await listed(both)).toEqual(Array.from({ length: 50 }, (_, n) => `${n}`))
    },
  },
  {
    title: '[case C38] bidi, the callee speaks first',
    async run(caller) {
      const both = caller.speakFirst({ word: 'hello' })
      expect((await both.next()).value).toBe('hello')
      both.end()
      expect((await both.next()).done).toBe(true)
    },
  },
  {
    title: '[case C39] client stream whose handler returns after the first item: the upload stops',
    async run(caller) {
      let closed = false
      async function* endless(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
        try {
          while (true) yield new Uint8Array(1_000)
        } finally {
          closed = true
        }
      }
      expect(await caller.first(endless())).toBe(1_000)
      await expect.poll(() => closed).toBe(true)
    },
  },
  {
    title: '[case C41] 1,000 events between calls arrive in order; an invalid one is dropped',
    async run(caller) {
      await caller.notes()
      for (let n = 0; n < 1_000; n += 1) {
        void caller.note({ n })
        if (n % 100 === 0) await caller.nothing()
      }
      void safe(caller.note({ n: -1 }))
      expect(await caller.notes()).toEqual(Array.from({ length: 1_000 }, (_, n) => n))
    },
  },
  {
    title: '[case C41] an event that does not fit in a frame fails here',
    async run(caller) {
      const { note } = caller as unknown as { note: (value: unknown) => Promise<void> }
      const [error] = await safe(note({ n: 1, text: 'x'.repeat(66_000) }))
      expect(error).toMatchObject({ code: 'resource_exhausted', processed: 'no' })
    },
  },
  {
    title:
      '[case C45] an input against its schema: the path, never the value; the handler does not run',
    async run(caller) {
      const [error] = await safe(caller.strict({ n: 1_234_567 }))
      expect(error).toMatchObject({ code: 'invalid_argument', processed: 'no' })
      expect(error?.message).toContain('/n')
      expect(error?.message).not.toContain('1234567')
    },
  },
  {
    title: '[case C45] an invalid item in a client stream',
    async run(caller) {
      const [error] = await safe(caller.strictItems(items(1, 2, 99, 3)))
      expect(error?.code).toBe('invalid_argument')
      // A caller that checks its own items finds out first, and cannot know what the handler did.
      expect(['yes', 'unknown']).toContain(error?.processed)
    },
  },
  {
    title: '[case C47] 10,000 pipelined calls, a fragmented one among them',
    async run(caller) {
      const large = caller.size(new Uint8Array(300_000))
      for (let round = 0; round < 10; round += 1) {
        const answers = await Promise.all(
          Array.from({ length: 1_000 }, (_, n) => caller.values(round * 1_000 + n)),
        )
        expect(answers[999]).toBe(round * 1_000 + 999)
      }
      expect((await large).length).toBe(300_000)
    },
  },
  {
    title: '[case C49] values round trip',
    async run(caller) {
      const value = {
        bytes: Uint8Array.of(1, 2, 3),
        at: new Date(1_234_567_890_123),
        big: 2n ** 63n,
        small: -5n,
        nan: Number.NaN,
        text: '☺ 😈',
        list: [null, true, 1.5, { deep: [] }],
      }
      expect(await caller.values({ ...value, gone: undefined })).toEqual(value)
      expect(Object.is(await caller.values(-0), 0)).toBe(true)
    },
  },
  {
    title: '[case C49] what cannot travel fails here, with its path',
    async run(caller) {
      const refused: readonly unknown[] = [
        '\uD800',
        JSON.parse('{"__proto__": 1}'),
        new Map(),
        new Set(),
        /x/,
        () => 1,
        new Float32Array(1),
        new Date(Number.NaN),
        2n ** 64n,
      ]
      for (const value of refused) {
        const [error] = await safe(caller.values({ list: [value] }))
        expect(error).toMatchObject({ code: 'invalid_argument', processed: 'no' })
        expect(error?.message).toContain('/list/0')
      }
    },
  },
  {
    title: '[case C50] each of the 16 codes, alone and after 0, 1 and 100 items',
    async run(caller) {
      for (const how of codes) {
        const [error] = await safe(caller.fails({ how, text: 'why' }))
        expect(error).toMatchObject({ code: how, message: 'why', processed: 'yes' })
      }
      for (const count of [0, 1, 100]) {
        const seen: number[] = []
        const failure = await (async () => {
          for await (const n of caller.throws({ items: count, how: 'aborted', text: 'why' }))
            seen.push(n)
        })().catch((error: unknown) => error)
        expect(failure).toMatchObject({ code: 'aborted', message: 'why', processed: 'yes' })
        expect(seen).toEqual(Array.from({ length: count }, (_, n) => n))
      }
    },
  },
  {
    title: '[case C51] a message with whitespace and Unicode arrives exactly',
    async run(caller) {
      const text = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'
      const [error] = await safe(caller.fails({ how: 'not_found', text }))
      expect(error?.message).toBe(text)
    },
  },
  {
    title: '[case C52] a declared error is typed; one with bad data is internal',
    async run(caller) {
      const [error] = await safe(caller.fails({ how: 'declared', text: '' }))
      expect(isError(error, conf.client.fails, 'Busy') && error.data).toEqual({ seats: 3 })
    },
  },
  {
    title: '[case C53] any other throw is internal with an id, without text',
    async run(caller) {
      for (const how of ['plain', 'undefined', 'cyclic']) {
        const [error] = await safe(caller.fails({ how, text: 'a secret' }))
        expect(error).toMatchObject({
          code: 'internal',
          processed: 'yes',
          message: 'internal error',
        })
        expect(error?.id).toMatch(/^[0-9a-f]{16}$/)
      }
    },
  },
  {
    title: '[case C54] items, then a throw: order kept',
    async run(caller) {
      const stream = caller.throws({ items: 3, how: 'declared', text: '' })
      for (let n = 0; n < 3; n += 1) expect((await stream.next()).value).toBe(n)
      await expect(stream.next()).rejects.toMatchObject({ tag: 'Busy' })
      expect((await stream.next()).done).toBe(true)
    },
  },
  {
    title: '[case C59] a deadline ends a handler that sleeps, and its signal fires',
    async run(caller) {
      const id = newId()
      const [error] = await safe(caller.hang(id, { timeoutMs: 50 }))
      expect(error?.code).toBe('deadline_exceeded')
      expect(['unknown', 'yes']).toContain(error?.processed)
      await abortedSoon(caller, id)
    },
  },
  {
    title: '[case C61] a deadline of 0 fails here',
    async run(caller) {
      const [error] = await safe(caller.nothing(undefined, { timeoutMs: 0 }))
      expect(error).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
    },
  },
  {
    title: '[case C64] a deadline in a stream: the items before it, then the error',
    async run(caller) {
      const seen: number[] = []
      const failure = await (async () => {
        for await (const n of caller.hangStream({ id: newId(), items: 3 }, { timeoutMs: 300 }))
          seen.push(n)
      })().catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'deadline_exceeded', processed: 'yes' })
      expect(seen).toEqual([0, 1, 2])
    },
  },
  {
    title: '[case C66] cancel before the start, after the begin, after an item, after the end',
    async run(caller) {
      const before = await safe(caller.nothing(undefined, { signal: AbortSignal.abort() }))
      expect(before[0]).toMatchObject({ code: 'cancelled', processed: 'no' })

      const begun = new AbortController()
      const id = newId()
      const call = safe(caller.hang(id, { signal: begun.signal }))
      await caller.nothing()
      begun.abort()
      begun.abort()
      expect((await call)[0]).toMatchObject({ code: 'cancelled', processed: 'unknown' })
      await abortedSoon(caller, id)

      const flowing = new AbortController()
      const stream = caller.hangStream({ id: newId(), items: 1 }, { signal: flowing.signal })
      await stream.next()
      flowing.abort()
      await expect(stream.next()).rejects.toMatchObject({ code: 'cancelled', processed: 'yes' })

      const late = new AbortController()
      await caller.nothing(undefined, { signal: late.signal })
      late.abort()
    },
  },
  {
    title: '[case C67] every kind of call, cancelled: the handler is told',
    async run(caller) {
      for (const sent of [0, 1]) {
        const ids = [newId(), newId(), newId()] as const
        const controller = new AbortController()
        const { signal } = controller
        async function* uploads(): AsyncGenerator<string> {
          for (let n = 0; n < sent; n += 1) yield 'item'
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        }
        const upload = safe(caller.hangUpload({ id: ids[0] }, uploads(), { signal }))
        const stream = caller.hangStream({ id: ids[1], items: sent }, { signal })
        const both = caller.hangBoth({ id: ids[2], items: sent }, { signal })
        for (let n = 0; n < sent; n += 1) await Promise.all([stream.next(), both.next()])
        await caller.nothing()
        controller.abort()
        expect((await upload)[0]?.code).toBe('cancelled')
        await expect(stream.next()).rejects.toMatchObject({ code: 'cancelled' })
        await expect(both.next()).rejects.toMatchObject({ code: 'cancelled' })
        for (const id of ids) await abortedSoon(caller, id)
      }
    },
  },
  {
    title: '[case C68] break out of a loop: the handler is told',
    async run(caller) {
      const id = newId()
      for await (const n of caller.hangStream({ id, items: 1 })) {
        expect(n).toBe(0)
        break
      }
      await abortedSoon(caller, id)
    },
  },
  {
    title: 'errors are RpcErrors, and the connection lives on',
    async run(caller) {
      const [error] = await safe(caller.fails({ how: 'aborted', text: '' }))
      expect(error).toBeInstanceOf(RpcError)
      expect(await caller.nothing()).toBeUndefined()
    },
  },
]

/** Only a server checks what its handlers return. */
export const serverCases: readonly Case[] = [
  {
    title: '[case C46] an output against its schema is internal with an id',
    async run(caller) {
      const [error] = await safe(caller.badOutput())
      expect(error).toMatchObject({ code: 'internal', processed: 'yes' })
      expect(error?.id).toMatch(/^[0-9a-f]{16}$/)
    },
  },
  {
    title: '[case C52] declared data against its schema is internal',
    async run(caller) {
      const [error] = await safe(caller.fails({ how: 'declared badly', text: '' }))
      expect(error).toMatchObject({ code: 'internal', tag: undefined })
    },
  },
]
