// The client with the compact codec only, in a browser: every kind of call, both directions.

import { createClient } from '@callbox/client/compact'
import { ws } from '@callbox/transport-ws'
import { expect, inject, test } from 'vitest'
import { probe } from './contract.ts'

test('every kind of call, both ways, before the connection is there and with it', async () => {
  const client = createClient({ probe }, ws(inject('probeUrl')))
  client.handle(probe, {
    ask: (question) => `${question}? fine`,
    tell: () => undefined,
    pieces: async function* (count) {
      for (let n = 0; n < count; n += 1) yield `piece ${n}`
    },
  })
  const sent = { text: 'hé ☺', bytes: Uint8Array.of(0, 1, 255), at: new Date(1_234_567_890_123) }
  const large = new Uint8Array(271_828).map((_, index) => index * 7)
  for (let round = 0; round < 2; round += 1) {
    const shouts = client.probe.shout()
    const [echoed, bytes, sum] = await Promise.all([
      client.probe.echo(sent),
      client.probe.large(large),
      client.probe.sum(
        (async function* () {
          yield* [1, 2, 3]
        })(),
      ),
      shouts.send('hé'),
    ])
    expect([echoed, sum]).toEqual([sent, 6])
    expect(echoed.bytes.buffer.byteLength).toBe(3)
    expect(bytes).toEqual(large)
    shouts.end()
    expect(await shouts.next()).toEqual({ done: false, value: 'HÉ' })
    const items: number[] = []
    for await (const n of client.probe.count({ to: 50 })) items.push(n)
    expect(items).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    await client.probe.note(`round ${round}`)
    expect(await client.probe.notes()).toContain(`round ${round}`)
    expect(await client.probe.callBack()).toBe('how are you? fine, piece 0,piece 1,piece 2')
  }
  await client.close()
})
