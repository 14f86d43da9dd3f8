import { describe, expect, test } from 'vitest'
import { memory } from './memory.ts'
import { transportSuite, type TransportCase } from './transport-suite.ts'

/** A fresh transport for each case: an address in memory is the value itself. */
function cases(): readonly TransportCase[] {
  let transport = memory()
  return transportSuite({
    capabilities: { refusesDial: true, exclusiveAddress: true, ports: false, holdsBack: true },
    server: () => (transport = memory()),
    client: () => transport,
  })
}

describe('memory()', () => {
  test.each([...cases()])('$title', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })
})
