// Serves `probe` to pages: started by Vitest before the browser.

import {
  createServer,
  implement,
  implementFor,
  RpcError,
  silent,
  type Server,
} from '@callbox/server'
import { conf, findCallCase, handlers, isAlive } from '@callbox/testing/conformance'
import { probe } from './contract.ts'
import { unhurried } from '../unhurried.ts'

const cancelled = new Set<string>()
const given = new Map<string, number>()

/** Payload of exactly 100 bytes: two of msgpack's, 98 of content. */
export const floodItem = new Uint8Array(98)
export const floodItems = 300_000

export function createProbe(): Server {
  const service = implementFor<{ readonly notes: string[] }>()(probe, {
    echo: (input) => input,
    large: (bytes) => bytes,
    count: async function* ({ to }) {
      for (let n = 1; n <= to; n += 1) yield n
    },
    sum: async (_, { input }) => {
      let sum = 0
      for await (const n of input) sum += n
      return sum
    },
    shout: async function* (_, { input }) {
      for await (const text of input) yield text.toUpperCase()
    },
    note: (text, { context }) => void context.notes.push(text),
    notes: (_, { context }) => context.notes,
    fail: (how, { errors }) => {
      if (how === 'declared') throw errors.Busy({ seats: 3 })
      throw new Error('a secret of the server')
    },
    sleep: ({ id }, { signal }) =>
      new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => {
          cancelled.add(id)
          resolve()
        }),
      ),
    cancelled: ({ id }) => cancelled.has(id),
    flood: async function* ({ id }) {
      try {
        for (let n = 1; n <= floodItems; n += 1) {
          given.set(id, n)
          yield floodItem
        }
      } finally {
        cancelled.add(id)
      }
    },
    given: ({ id }) => given.get(id) ?? 0,
    play: async (title, { connection }) => {
      const caller = connection.client(conf)
      try {
        await findCallCase(title).run(caller, { amount: 'light' })
        await isAlive(caller)
      } catch (error) {
        // Its text is what the page shows.
        throw new RpcError('aborted', error instanceof Error ? error.message : String(error))
      }
    },
    callBack: async (_, { client }) => {
      await client.tell('a word')
      const pieces: string[] = []
      for await (const piece of client.pieces(3)) pieces.push(piece)
      return `${await client.ask('how are you')}, ${pieces.join()}`
    },
  })
  return createServer({
    services: [service, implement(conf, handlers())],
    limits: { preset: 'internal', ...unhurried },
    authenticate: () => ({ notes: [] as string[] }),
    logger: silent,
  })
}
