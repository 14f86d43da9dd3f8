import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { ask, echoServer } from './websocket-raw.ts'

test('the example of the guide answers', async () => {
  const server = echoServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await ask(`ws://127.0.0.1:${port}/`, 'hello')).toBe('hello')
  expect(await ask(`ws://127.0.0.1:${port}/`, 'x'.repeat(9_999))).toBe('x'.repeat(9_999))
  await new Promise((resolve) => server.close(resolve))
})
