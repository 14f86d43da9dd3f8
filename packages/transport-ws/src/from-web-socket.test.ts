// A WebSocket of a library, as the client of our own server.

import { transportSuite } from '@callbox/testing'
import { describe, expect, test } from 'vitest'
import { fromWebSocket, ws, type WebSocketLike } from './index.ts'

const host = '127.0.0.1'
const suite = transportSuite({
  // A library's WebSocket cannot stop reading, and the cases pause both ends.
  capabilities: { refusesDial: true, exclusiveAddress: false, ports: true, holdsBack: false },
  server: () => ws({ host, port: 0 }),
  client: ({ port }) => fromWebSocket(() => openUndici(`ws://${host}:${port}/`)),
})

/** The one of undici, which Node has from 22 on; on Node 20 it is a development dependency. */
const { WebSocket: UndiciWebSocket } = await import('undici')

function openUndici(url: string): WebSocketLike {
  return new UndiciWebSocket(url, 'callbox.v1')
}

describe('fromWebSocket() with undici', () => {
  test.each([...suite])('$title', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })
})

test('what cannot connect says so', async () => {
  const transport = fromWebSocket(() => openUndici('ws://127.0.0.1:1/'), { target: 'nowhere' })
  const signal = { aborted: false, addEventListener() {}, removeEventListener() {} }
  await expect(transport.dial!({ signal, maxFrame: 66_560 })).rejects.toThrow('could not connect')
})
