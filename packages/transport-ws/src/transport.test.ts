import { transportSuite, type TransportKit } from '@callbox/testing'
import { describe, expect, test } from 'vitest'
import { authority } from '../../../tests/certificates.ts'
import { ws } from './index.ts'

const capabilities = { refusesDial: true, exclusiveAddress: false, ports: true, holdsBack: true }
const host = '127.0.0.1'

const plain: TransportKit = {
  capabilities,
  server: () => ws({ host, port: 0 }),
  client: ({ port }) => ws(`ws://${host}:${port}`),
}

const ca = authority()
const { cert, key } = ca.issue({ name: 'server', hosts: ['localhost', host] })
const secure: TransportKit = {
  capabilities,
  server: () => ws({ host, port: 0, cert, key }),
  client: ({ port }) => ws(`wss://${host}:${port}`, { ca: ca.cert }),
}

describe.each([
  ['ws()', plain],
  ['ws() over TLS', secure],
])('%s', (_, kit) => {
  test.each([...transportSuite(kit)])('$title', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })
})
