// The shared cases with a browser as caller.

import { createClient } from '@callbox/client'
import { ws } from '@callbox/transport-ws'
import { afterAll, expect, inject, test } from 'vitest'
import { callCases, conf, isAlive, titleOf } from '@callbox/testing/conformance'

const client = createClient({ conf }, ws(inject('probeUrl')), { limits: 'internal' })
afterAll(() => client.close())

const listed = callCases.map((one) => ({ title: titleOf(one), one }))

test.each(listed)('$title', async ({ one }) => {
  await one.run(client.conf, { amount: 'light' })
  // Whatever the case did, the connection lives.
  await isAlive(client.conf)
  expect(client.state).toBe('connected')
})
