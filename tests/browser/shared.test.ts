// The shared cases with a browser as caller.

import { createClient } from '@callbox/client'
import { ws } from '@callbox/transport-ws'
import { afterAll, expect, inject, test } from 'vitest'
import { cases, serverCases } from '../conformance/cases.ts'
import { conf } from '../conformance/contract.ts'

const client = createClient({ conf }, ws(inject('probeUrl')), { limits: 'internal' })
afterAll(() => client.close())

test.each([...cases, ...serverCases])('$title', async ({ run }) => {
  await run(client.conf)
  // Whatever the case did, the connection lives.
  expect(client.state).toBe('connected')
})
