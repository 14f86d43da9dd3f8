// What travels: values, errors, metadata.
//   in  -> a caller of `conf`
//   out -> cases C45, C46, C49 to C56

import { isError, RpcError } from '@callbox/core'
import { items, listed } from './call-kinds.ts'
import type { CallCase } from './case.ts'
import { conf } from './contract.ts'
import { equal, failureOf, holds, matches } from './expect.ts'

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

const idOfInternal = /^[0-9a-f]{16}$/

const inputCases: readonly CallCase[] = [
  {
    id: 'C45',
    title: 'an input against its schema: the path, never the value; the handler does not run',
    async run(caller) {
      const error = await failureOf(caller.strict({ n: 1_234_567 }))
      matches(error, { code: 'invalid_argument', processed: 'no' })
      holds(error.message.includes('/n'), `no path in ${error.message}`)
      holds(!error.message.includes('1234567'), `the value is in ${error.message}`)
      equal(await caller.hasBegun('strict 1234567'), false, 'the handler ran')
    },
  },
  {
    id: 'C45',
    title: 'an invalid item in a client stream',
    async run(caller) {
      const error = await failureOf(caller.strictItems(items(1, 2, 99, 3)))
      equal(error.code, 'invalid_argument')
      // A caller that checks its own items finds out first, and cannot know what the handler did.
      holds(error.processed !== 'no', 'it says that nothing ran')
    },
  },
  {
    id: 'C46',
    title: 'an output against its schema is internal with an id',
    callee: 'server',
    async run(caller) {
      const error = await failureOf(caller.badOutput())
      matches(error, { code: 'internal', processed: 'yes' })
      holds(idOfInternal.test(error.id ?? ''), `no id: ${error.id}`)
    },
  },
  {
    id: 'C49',
    title: 'values round trip',
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
      const got = (await caller.values({ ...value, gone: undefined })) as typeof value
      equal(got, value)
      equal(got.bytes.buffer.byteLength, 3, 'bytes own their buffer')
      equal(await caller.values(-0), 0)
    },
  },
  {
    id: 'C49',
    title: 'what cannot travel fails here, with its path',
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
        -(2n ** 63n) - 1n,
      ]
      for (const value of refused) {
        const error = await failureOf(caller.values({ list: [value] }))
        matches(error, { code: 'invalid_argument', processed: 'no' })
        holds(error.message.includes('/list/0'), `no path in ${error.message}`)
      }
    },
  },
]

const errorCases: readonly CallCase[] = [
  {
    id: 'C50',
    title: 'each of the 16 codes, alone and after 0, 1 and 100 items',
    async run(caller) {
      for (const how of codes) {
        const expected = { code: how, message: 'why', processed: 'yes' }
        matches(await failureOf(caller.fails({ how, text: 'why' })), expected)
        for (const count of [0, 1, 100]) {
          const seen: number[] = []
          const failed = (async () => {
            for await (const n of caller.throws({ items: count, how, text: 'why' })) seen.push(n)
          })()
          matches(await failureOf(failed), expected)
          equal(
            seen,
            Array.from({ length: count }, (_, n) => n),
          )
        }
      }
    },
  },
  {
    id: 'C51',
    title: 'a message with whitespace and Unicode arrives exactly',
    async run(caller) {
      const text = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'
      equal((await failureOf(caller.fails({ how: 'not_found', text }))).message, text)
    },
  },
  {
    id: 'C52',
    title: 'a declared error is typed',
    async run(caller) {
      const error = await failureOf(caller.fails({ how: 'declared', text: '' }))
      holds(isError(error, conf.fails, 'Busy'), `not Busy: ${String(error)}`)
      equal(error.data, { seats: 3 })
    },
  },
  {
    id: 'C52',
    title: 'declared data against its schema is internal',
    callee: 'server',
    async run(caller) {
      const error = await failureOf(caller.fails({ how: 'declared badly', text: '' }))
      matches(error, { code: 'internal', tag: undefined, processed: 'yes' })
    },
  },
  {
    id: 'C53',
    title: 'any other throw is internal with an id, without text',
    async run(caller) {
      for (const how of ['plain', 'undefined', 'cyclic', 'hostile']) {
        const error = await failureOf(caller.fails({ how, text: 'a secret' }))
        matches(error, { code: 'internal', processed: 'yes', message: 'internal error' })
        holds(idOfInternal.test(error.id ?? ''), `no id: ${error.id}`)
        holds(!JSON.stringify(error).includes('secret'), 'the text is there')
      }
    },
  },
  {
    id: 'C54',
    title: 'items, then a throw: order kept',
    async run(caller) {
      const stream = caller.throws({ items: 3, how: 'declared', text: '' })
      for (let n = 0; n < 3; n += 1) equal((await stream.next()).value, n)
      equal((await failureOf(stream.next())).tag, 'Busy')
      equal((await stream.next()).done, true)
    },
  },
  {
    id: 'C54',
    title: 'errors are RpcErrors',
    async run(caller) {
      const error = await failureOf(caller.fails({ how: 'aborted', text: '' }))
      holds(error instanceof RpcError, 'no RpcError')
      equal(String(error), '[aborted]')
    },
  },
]

const sent = {
  'text': '☺ 😈',
  'empty': '',
  'bytes': Uint8Array.of(0, 255),
  'a-1': 'x'.repeat(4_000),
}

const metadataCases: readonly CallCase[] = [
  {
    id: 'C55',
    title: 'metadata of a call: text and bytes, of every kind, also without items',
    async run(caller) {
      const options = { metadata: sent }
      equal(await caller.metadata(undefined, options), sent)
      equal(await caller.metadata(), {})
      equal(await listed(caller.metadataItems({ items: 2 }, options)), [sent, sent])
      equal(await listed(caller.metadataItems({ items: 0 }, options)), [])
      equal(await caller.lastMetadata(), sent, 'of a stream without items')
      equal(await caller.metadataUpload(items(1, 2), options), sent)
      equal(await caller.metadataUpload(items(), options), sent)
    },
  },
  {
    id: 'C56',
    title: 'metadata above 8 KiB or 64 entries fails here',
    async run(caller) {
      const local = { code: 'resource_exhausted', processed: 'no' }
      const of = (metadata: Record<string, string>): Promise<unknown> =>
        caller.metadata(undefined, { metadata })
      const entries = (count: number): Record<string, string> =>
        Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']))
      equal(await of(entries(64)), entries(64))
      matches(await failureOf(of(entries(65))), local)
      // 1 + 2 + 3 bytes of msgpack around the text.
      equal(await of({ a: 'x'.repeat(8_186) }), { a: 'x'.repeat(8_186) })
      matches(await failureOf(of({ a: 'x'.repeat(8_187) })), local)
    },
  },
]

export const valueCases: readonly CallCase[] = [...inputCases, ...errorCases, ...metadataCases]
