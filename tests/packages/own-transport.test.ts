import { transportSuite, type TransportKit } from '@callbox/testing'
import { readFileSync } from 'node:fs'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { messagePort } from './own-transport.ts'

let channel = new MessageChannel()
const kit: TransportKit = {
  capabilities: { refusesDial: false, exclusiveAddress: false, ports: false, holdsBack: true },
  server: () => messagePort((channel = new MessageChannel()).port1),
  client: () => messagePort(channel.port2),
}

afterEach(() => channel.port1.close())

describe('the transport of the guide', () => {
  test.each([...transportSuite(kit)])('$title', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })

  test('is less than 100 lines of code', () => {
    const lines = readFileSync(new URL('own-transport.ts', import.meta.url), 'utf8').split('\n')
    const code = lines.filter((line) => line.trim() !== '' && !line.trim().startsWith('//'))
    expect(code.length).toBeLessThan(100)
  })
})
