import { transportSuite, type TransportKit } from '@callbox/testing'
import { rmSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { authority } from '../../../tests/certificates.ts'
import { tcp, tls, unix } from './index.ts'

const capabilities = { refusesDial: true, exclusiveAddress: true, ports: true, holdsBack: true }
const host = '127.0.0.1'

const overTcp: TransportKit = {
  capabilities,
  server: () => tcp({ host, port: 0 }),
  client: ({ port }) => tcp({ host, port }),
}

const ca = authority()
const { cert, key } = ca.issue({ name: 'server', hosts: ['localhost', host] })
const overTls: TransportKit = {
  capabilities,
  server: () => tls({ host, port: 0, cert, key }),
  client: ({ port }) => tls({ host, port, cert, key, ca: ca.cert }),
}

const folder = mkdtempSync(join(tmpdir(), 'callbox-'))
afterAll(() => rmSync(folder, { recursive: true }))
let sockets = 0
const overUnix: TransportKit = {
  capabilities: { ...capabilities, ports: false },
  server: () => unix({ path: join(folder, `${(sockets += 1)}.sock`) }),
  client: ({ address }) => unix({ path: address }),
}

describe.each([
  ['tcp()', overTcp],
  ['tls()', overTls],
  ['unix()', overUnix],
])('%s', (_, kit) => {
  test.each([...transportSuite(kit)])('$title', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })
})
