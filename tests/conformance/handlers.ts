// What serves the shared cases, on either side.

import { RpcError, type Code } from '@callbox/core'
import type { ClientHandlers } from '@callbox/core'
import type { conf } from './contract.ts'

export function handlers(): ClientHandlers<typeof conf> {
  const notes: number[] = []
  const aborted: string[] = []
  const hang = (id: string, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        aborted.push(id)
        resolve()
      })
    })
  const raise = (how: string, text: string): never => {
    if (how === 'plain') throw new Error(text)
    // Whatever is thrown must not reach the caller.
    if (how === 'undefined') throw undefined as unknown as Error
    if (how === 'cyclic') {
      const cyclic: { self?: unknown } = {}
      cyclic.self = cyclic
      throw cyclic as unknown as Error
    }
    throw new RpcError(how as Code, text)
  }
  return {
    nothing: () => undefined,
    size: (bytes) => bytes,
    values: (value) => value,
    upload: async (_, { input }) => {
      let size = 0
      for await (const bytes of input) size += bytes.length
      return size
    },
    first: async (_, { input }) => {
      for await (const bytes of input) return bytes.length
      return 0
    },
    download: async function* (sizes) {
      for (const size of sizes) yield new Uint8Array(size).fill(size)
    },
    echo: async function* (_, { input }) {
      for await (const text of input) yield `${text}!`
    },
    collect: async function* (_, { input }) {
      const texts: string[] = []
      for await (const text of input) texts.push(text)
      yield* texts
    },
    speakFirst: async function* ({ word }, { input }) {
      yield word
      for await (const text of input) yield text
    },
    note: ({ n }) => void notes.push(n),
    notes: () => notes.splice(0),
    strict: ({ n }) => n,
    strictItems: async (_, { input }) => {
      let sum = 0
      for await (const n of input) sum += n
      return sum
    },
    badOutput: () => 'text' as unknown as number,
    throws: async function* ({ items, how, text }, { errors }) {
      for (let n = 0; n < items; n += 1) yield n
      if (how === 'declared') throw errors.Busy({ seats: 3 })
      raise(how, text)
    },
    fails: ({ how, text }, { errors }) => {
      if (how === 'declared') throw errors.Busy({ seats: 3 })
      if (how === 'declared badly') throw errors.Busy({ seats: 'three' as unknown as number })
      raise(how, text)
    },
    hang: (id, { signal }) => hang(id, signal),
    hangStream: async function* ({ id, items }, { signal }) {
      for (let n = 0; n < items; n += 1) yield n
      await hang(id, signal)
    },
    hangUpload: async ({ id }, { signal }) => {
      await hang(id, signal)
      return 0
    },
    hangBoth: async function* ({ id, items }, { signal }) {
      for (let n = 0; n < items; n += 1) yield n
      await hang(id, signal)
    },
    aborted: () => aborted,
  }
}
