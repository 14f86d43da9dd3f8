import { expect, test } from 'vitest'
import type { HelloTerms } from '@callbox/core/internal'
import type { ServerConnection } from './connection.ts'
import { Sessions } from './sessions.ts'

/** Bytes that tell from each other: 1, 1, 1 ..., then 2, 2, 2 and so on. */
function counting(): (length: number) => Uint8Array {
  let n = 0
  return (length) => new Uint8Array(length).fill((n += 1))
}

/** Of a connection only the contracts of its client, and its codec, are looked at. */
const connectionOf = (contracts: string): ServerConnection =>
  ({ contracts, codec: 'msgpack' }) as unknown as ServerConnection

/** A HELLO that states these contracts, as text. */
const helloOf = (contracts: string, codecs: readonly string[] = ['msgpack']): HelloTerms =>
  ({ contracts: JSON.parse(contracts) as unknown, codecs }) as HelloTerms

function setUp(graceMs = 30_000) {
  const sessions = new Sessions(graceMs, counting())
  const connection = connectionOf('[]')
  const session = sessions.add(connection, 'ada')
  const ask = (token: Uint8Array, principal: string | undefined = 'ada', contracts = '[]') =>
    sessions.find({ id: session!.id, token, received: 0 }, principal, helloOf(contracts))
  return { sessions, session, ask }
}

test('an id and a token of 16 random bytes each', () => {
  const { sessions, session } = setUp()
  expect(session).toMatchObject({
    id: new Uint8Array(16).fill(1),
    token: new Uint8Array(16).fill(2),
    graceMs: 30_000,
    principal: 'ada',
  })
  expect(sessions.length).toBe(1)
})

test('without a grace there is nothing to resume', () => {
  const { sessions, session } = setUp(0)
  expect(session).toBeUndefined()
  expect(sessions.length).toBe(0)
})

test('found by id and token, for the same principal and contracts only [threat R2]', () => {
  const { sessions, session, ask } = setUp()
  const { id, token } = session!
  expect(ask(token)).toBe(session)
  expect(ask(new Uint8Array(16))).toBe('token')
  expect(ask(token, 'bob')).toBe('principal')
  expect(sessions.find({ id, token, received: 0 }, undefined, helloOf('[]'))).toBe('principal')
  expect(ask(token, 'ada', '[["a","b"]]')).toBe('contracts')
  expect(sessions.find({ id: token, token, received: 0 }, 'ada', helloOf('[]'))).toBe('unknown')
  const other = helloOf('[]', ['compact1'])
  expect(sessions.find({ id, token, received: 0 }, 'ada', other)).toBe('codec')
})

test('the token is judged first: who does not have it learns nothing else [threat R2]', () => {
  const { ask } = setUp()
  expect(ask(new Uint8Array(16), 'bob', '["other"]')).toBe('token')
})

test('until the new token is confirmed both resume, and the new one stays the same [threat R2]', () => {
  const { sessions, session, ask } = setUp()
  const old = session!.token
  const { token: next } = sessions.rotate(session!)
  expect(next).not.toEqual(old)
  expect(sessions.rotate(session!).token).toBe(next)
  expect([ask(old), ask(next)]).toEqual([session, session])
  sessions.confirm(session!)
  expect([ask(old), ask(next)]).toEqual(['token', session])
  // Nothing is pending: a further frame changes nothing.
  sessions.confirm(session!)
  expect(ask(next)).toBe(session)
  expect(sessions.rotate(session!).token).not.toEqual(next)
})

test('removed: unknown, like one that never was [threat R8]', () => {
  const { sessions, session, ask } = setUp()
  sessions.remove(session!)
  sessions.remove(session!)
  expect(ask(session!.token)).toBe('unknown')
  expect(sessions.length).toBe(0)
})

test('a view of a larger buffer names the same session', () => {
  const { sessions, session } = setUp()
  const all = new Uint8Array(100).fill(9)
  all.set(session!.id, 40)
  all.set(session!.token, 60)
  const asked = { id: all.subarray(40, 56), token: all.subarray(60, 76), received: 0 }
  expect(sessions.find(asked, 'ada', helloOf('[]'))).toBe(session)
})

test('10,000 sessions, each under its own id', () => {
  let n = 0
  const random = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length)
    new DataView(bytes.buffer).setUint32(12, (n += 1))
    return bytes
  }
  const sessions = new Sessions(1, random)
  const all = Array.from({ length: 10_000 }, (_, index) =>
    sessions.add(connectionOf(`${index}`), undefined),
  )
  const wrong = all.filter(
    (each, index) =>
      sessions.find(
        { id: each!.id, token: each!.token, received: 0 },
        undefined,
        helloOf(`${index}`),
      ) !== each,
  )
  expect([sessions.length, wrong.length]).toEqual([10_000, 0])
})
