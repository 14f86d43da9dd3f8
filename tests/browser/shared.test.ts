// The cases that are calls, with a page on one side: as caller, and as callee of the server.

import { createClient } from '@callbox/client'
import { validate } from '@callbox/core/validate'
import { callCases, conf, handlers, isAlive, titleOf } from '@callbox/testing/conformance'
import { ws } from '@callbox/transport-ws'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { probe } from './contract.ts'

// It checks as a server does: what the server calls is served under the same rules.
const client = createClient({ conf, probe }, ws(inject('probeUrl')), {
  limits: 'internal',
  validate,
})
client.handle(conf, handlers())
afterAll(() => client.close())

const listed = callCases.map((one) => ({ title: titleOf(one), one }))

describe('the page calls', () => {
  test.each(listed)('$title', async ({ one }) => {
    await one.run(client.conf, { amount: 'light' })
    // Whatever the case did, the connection lives.
    await isAlive(client.conf)
    expect(client.state).toBe('connected')
  })
})

describe('the server calls the page [case C40]', () => {
  test.each(listed)('$title', async ({ title }) => {
    await client.probe.play(title)
    expect(client.state).toBe('connected')
  })
})
