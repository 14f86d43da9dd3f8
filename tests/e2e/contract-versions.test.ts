// [case C25] Client and server with different versions of a contract.

import { createClient, safe } from '@callbox/client'
import { contract, unary } from '@callbox/core'
import { createServer, implement, silent, type Server } from '@callbox/server'
import { memory } from '@callbox/testing'
import * as T from 'typebox'
import { afterEach, beforeEach, expect, test } from 'vitest'

const Note = T.Object({ text: T.String() })
const older = contract('notes', {
  add: unary({ input: Note, output: T.Integer() }),
  gone: unary({ output: T.Integer() }),
  same: unary({ output: T.Integer() }),
})
const newer = contract('notes', {
  add: unary({
    input: T.Object({ text: T.String(), urgent: T.Optional(T.Boolean()) }),
    output: T.Integer(),
  }),
  fresh: unary({ output: T.Integer() }),
  same: unary({ output: T.Integer() }),
})

const transport = memory()
let server: Server

beforeEach(async () => {
  server = createServer({
    services: [implement(newer, { add: ({ text }) => text.length, fresh: () => 3, same: () => 2 })],
    logger: silent,
  })
  await server.listen(transport)
})
afterEach(() => server.close())

test('[case C25] unchanged and changed methods work, a missing one is unimplemented', async () => {
  const client = createClient({ notes: older }, transport)
  expect(await client.notes.same()).toBe(2)
  expect(await client.notes.add({ text: 'four' })).toBe(4)
  const [error] = await safe(client.notes.gone())
  expect(error).toMatchObject({ code: 'unimplemented', processed: 'no' })
  await client.close()
})

test('[case C25] strictContract refuses the changed one and no other', async () => {
  const client = createClient({ notes: older }, transport, { strictContract: true })
  const [changed] = await safe(client.notes.add({ text: 'four' }))
  expect(changed).toMatchObject({ code: 'contract_mismatch', processed: 'no' })
  expect(await client.notes.same()).toBe(2)
  expect((await safe(client.notes.gone()))[0]?.code).toBe('unimplemented')
  await client.close()
})

test('a contract that the server does not serve is unimplemented', async () => {
  const stranger = contract('stranger', { hello: unary({}) })
  const client = createClient({ stranger, notes: newer }, transport)
  const [error] = await safe(client.stranger.hello())
  expect(error).toMatchObject({ code: 'unimplemented', processed: 'no' })
  // Ids behind it are not shifted.
  expect(await client.notes.fresh()).toBe(3)
  await client.close()
})
