import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import {
  hex,
  RawPeer,
  RawServer,
  rawData,
  rawPing,
  rawRequest,
  toHex,
  fromMsgpack,
  toMsgpack,
} from './node.ts'

describe('a raw client and a raw server', () => {
  test.each([
    ['a byte stream', false],
    ['a WebSocket', true],
  ])('exchange frames over %s', async (_, ws) => {
    const server = await RawServer.listen({ ws })
    const [client, peer] = await Promise.all([
      RawPeer.connect({ port: server.port, ws }),
      server.accept(),
    ])
    client.sendFrames(rawPing(), rawRequest({ id: 1, method: 'a.b', value: { x: 1 } }))
    expect(await peer.nextOf(0x10)).toMatchObject({ flags: 0x0a, id: 1 })
    peer.sendFrames(rawData(1, 'x'.repeat(70_000), true))
    expect((await client.next()).body).toHaveLength(70_005)
    await server.close()
    await client.closed
    await expect(client.next()).rejects.toThrow('the connection has ended')
    await client.destroy()
  })
})

test('frames are those of the protocol, byte for byte', () => {
  expect(toHex(rawPing())).toBe('030000000000' + '0102030405060708' + '00000000')
  expect(toHex(rawRequest({ id: 3, method: 7, value: null, deadlineMs: 1_000 }))).toBe(
    '101200000003' + '0007' + '000003e8' + 'c0',
  )
})

const values = [
  null,
  true,
  false,
  0,
  1,
  127,
  128,
  65_536,
  2 ** 32 - 1,
  2 ** 40,
  -1,
  -32,
  -33,
  -(2 ** 31),
  -(2 ** 40),
  1.5,
  '',
  'a',
  'é'.repeat(20),
  'b'.repeat(300),
  'c'.repeat(70_000),
  [],
  [1, [2, [3]]],
  Array.from({ length: 20 }, (_, at) => at),
  {},
  { a: { b: 'c' } },
  Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`k${at}`, at])),
]

test('MessagePack agrees with msgpackr, in both directions', () => {
  const packr = new Packr({ useRecords: false })
  for (const value of values) {
    expect(packr.unpack(toMsgpack(value))).toEqual(value)
    expect(fromMsgpack(packr.pack(value))).toEqual(value)
    expect(fromMsgpack(toMsgpack(value))).toEqual(value)
  }
  expect(fromMsgpack(toMsgpack(hex('00ff')))).toEqual(hex('00ff'))
})
