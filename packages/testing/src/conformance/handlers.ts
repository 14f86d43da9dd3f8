// What serves the methods of the conformance cases, on either side.
//   in  -> (nothing)
//   out -> handlers that share what they remember of calls

import { RpcError, type ClientHandlers, type Code, type Metadata } from '@callbox/core'
import type { AbortSignalLike } from '@callbox/core/internal'
import type { conf } from './contract.ts'

type All = ClientHandlers<typeof conf>
type Part<Names extends keyof All> = Pick<All, Names>

/** Handlers of `conf` for `implement`, or for `client.handle`. */
export function handlers(): All {
  const runs = new Runs()
  return { ...plain(runs), ...streaming(), ...noting(runs), ...describing(), ...lasting(runs) }
}

/** What handlers have done, by the id of their call. */
class Runs {
  readonly begun: Set<string> = new Set()
  readonly aborted: Set<string> = new Set()
  readonly given: Map<string, number> = new Map()
  private readonly released = new Map<string, () => void>()
  private readonly waiting = new Map<string, Promise<void>>()

  /** Settles when the signal fires. */
  hang(id: string, signal: AbortSignalLike): Promise<void> {
    this.begun.add(id)
    return new Promise((resolve) => {
      const leave = (): void => {
        this.aborted.add(id)
        resolve()
      }
      if (signal.aborted) leave()
      else signal.addEventListener('abort', leave)
    })
  }

  /** Settles with `release`. */
  untilReleased(id: string): Promise<void> {
    let waiting = this.waiting.get(id)
    if (waiting === undefined) {
      waiting = new Promise((resolve) => this.released.set(id, resolve))
      this.waiting.set(id, waiting)
    }
    return waiting
  }

  release(id: string): void {
    void this.untilReleased(id)
    this.released.get(id)?.()
  }
}

function raise(how: string, text: string): never {
  if (how === 'plain') throw new Error(text)
  // Whatever is thrown must not reach the caller.
  if (how === 'undefined') throw undefined as unknown as Error
  if (how === 'cyclic') {
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    throw cyclic as unknown as Error
  }
  if (how === 'hostile') throw hostile(text)
  throw new RpcError(how as Code, text)
}

/** An error that throws when anybody looks at it. */
function hostile(text: string): Error {
  const fail = (): never => {
    throw new Error(text)
  }
  return new Proxy(new Error(text), { get: fail, has: fail, getPrototypeOf: fail })
}

function plain(
  runs: Runs,
): Part<'nothing' | 'size' | 'bytes' | 'checksum' | 'values' | 'strict' | 'badOutput' | 'fails'> {
  return {
    nothing: () => undefined,
    size: (bytes) => bytes,
    bytes: (size) => new Uint8Array(size).fill(7),
    checksum: (bytes) => bytes.reduce((sum, byte) => sum + byte, 0),
    values: (value) => value,
    strict: ({ n }) => {
      runs.begun.add(`strict ${n}`)
      return n
    },
    badOutput: () => 'text' as unknown as number,
    fails: ({ how, text }, { errors }) => {
      if (how === 'declared') throw errors.Busy({ seats: 3 })
      if (how === 'declared badly') throw errors.Busy({ seats: 'three' as unknown as number })
      raise(how, text)
    },
  }
}

function streaming(): Part<
  'upload' | 'first' | 'strictItems' | 'download' | 'echo' | 'collect' | 'speakFirst' | 'throws'
> {
  return {
    upload: async (_, { input }) => {
      let size = 0
      for await (const bytes of input) size += bytes.length
      return size
    },
    first: async (_, { input }) => {
      for await (const bytes of input) return bytes.length
      return 0
    },
    strictItems: async (_, { input }) => {
      let sum = 0
      for await (const n of input) sum += n
      return sum
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
    throws: async function* ({ items, how, text }, { errors }) {
      for (let n = 0; n < items; n += 1) yield n
      if (how === 'declared') throw errors.Busy({ seats: 3 })
      raise(how, text)
    },
  }
}

function noting(runs: Runs): Part<'note' | 'notes' | 'wait'> {
  const notes: number[] = []
  return {
    note: ({ n }) => void notes.push(n),
    notes: () => notes.splice(0),
    wait: ({ id }) => runs.untilReleased(id),
  }
}

function describing(): Part<'metadata' | 'metadataItems' | 'metadataUpload' | 'lastMetadata'> {
  let last: Metadata = {}
  return {
    metadata: (_, { metadata }) => ({ ...metadata }),
    metadataItems: async function* ({ items }, { metadata }) {
      last = metadata
      for (let n = 0; n < items; n += 1) yield { ...metadata }
    },
    metadataUpload: async (_, { input, metadata }) => {
      for await (const _item of input);
      return { ...metadata }
    },
    lastMetadata: () => ({ ...last }),
  }
}

function lasting(
  runs: Runs,
): Part<
  | 'produce'
  | 'consume'
  | 'hang'
  | 'hangStream'
  | 'hangUpload'
  | 'hangBoth'
  | 'stubborn'
  | 'release'
  | 'hasBegun'
  | 'aborted'
  | 'given'
> {
  return {
    produce: async function* ({ id, items, bytes }) {
      const item = new Uint8Array(bytes)
      try {
        for (let n = 1; n <= items; n += 1) {
          runs.given.set(id, n)
          yield item
        }
      } finally {
        runs.aborted.add(id)
      }
    },
    consume: async ({ id, take }, { input }) => {
      let [count, size] = [0, 0]
      for await (const bytes of input) {
        count += 1
        size += bytes.length
        if (count === take) await runs.untilReleased(id)
      }
      return size
    },
    hang: (id, { signal }) => runs.hang(id, signal),
    hangStream: async function* ({ id, items }, { signal }) {
      for (let n = 0; n < items; n += 1) yield n
      await runs.hang(id, signal)
    },
    hangUpload: async ({ id }, { signal }) => {
      await runs.hang(id, signal)
      return 0
    },
    hangBoth: async function* ({ id, items }, { signal }) {
      for (let n = 0; n < items; n += 1) yield n
      await runs.hang(id, signal)
    },
    stubborn: async (id, { signal }) => {
      void runs.hang(id, signal)
      await runs.untilReleased(id)
      return id
    },
    release: (id) => runs.release(id),
    hasBegun: (id) => runs.begun.has(id),
    aborted: (id) => runs.aborted.has(id),
    given: (id) => runs.given.get(id) ?? 0,
  }
}
