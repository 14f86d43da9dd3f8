// Cases that need a peer which breaks rules, over TCP and WebSocket. The raw peer shares no code with
// the framework.

import { createClient, safe, type RpcError } from '@callbox/client'
import { contractHash } from '@callbox/core'
import { createServer, implement, silent, type Server } from '@callbox/server'
import {
  errorOf,
  goAwayOf,
  hex,
  rawData,
  rawEnd,
  rawError,
  rawFrame,
  RawPeer,
  rawHello,
  rawNotify,
  rawRequest,
  RawServer,
  rawWelcome,
  toMsgpack,
  valueOf,
} from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { conf } from './contract.ts'
import { handlers } from './handlers.ts'
import { unhurried } from '../unhurried.ts'

const host = '127.0.0.1'
const errorType = 0x13
const dataType = 0x11
const goAwayType = 0x06
const invalidArgument = 3
const unimplemented = 12
const protocol = 35

describe.each(['tcp', 'ws'])('a raw client over %s', (name) => {
  let server: Server
  let port: number
  const runs: string[] = []

  beforeAll(async () => {
    const service = implement(conf, {
      ...handlers(),
      strict: ({ n }) => {
        runs.push(`strict ${n}`)
        return n
      },
    })
    server = createServer({ services: [service], logger: silent, limits: unhurried })
    const listenOn = name === 'tcp' ? tcp({ host, port: 0 }) : ws({ host, port: 0 })
    ;({ port } = await server.listen(listenOn))
  })
  afterAll(() => server.close({ graceMs: 0 }))

  const connect = (): Promise<RawPeer> => RawPeer.connect({ host, port, ws: name === 'ws' })
  const shaken = async (map = {}): Promise<RawPeer> => {
    const peer = await connect()
    await peer.handshake(map)
    return peer
  }
  /** GOAWAY with this code, then the end; a call on another connection goes on. */
  const isRefused = async (peer: RawPeer, code: number): Promise<void> => {
    expect(goAwayOf(await peer.nextOf(goAwayType)).code).toBe(code)
    await peer.closed
    await peer.destroy()
    const other = await shaken()
    other.sendFrames(rawRequest({ id: 1, method: 'conf.nothing' }))
    expect((await other.nextOf(dataType)).id).toBe(1)
    await other.destroy()
  }

  test('[case C13] WELCOME states limits, name, version and keepalive', async () => {
    const peer = await connect()
    const { body } = await peer.handshake()
    expect([...body.subarray(0, 4)]).toEqual([1, 0, 0, 0])
    expect(valueOf({ body: body.subarray(4) } as never)).toMatchObject({
      server: { name: 'callbox', version: '', epoch: expect.stringMatching(/^[0-9a-f]{16}$/) },
      codec: 'msgpack',
      limits: {
        maxFrame: 66_560,
        maxMessage: 4_194_304,
        maxMeta: 8_192,
        maxCalls: 256,
        window: 262_144,
      },
      keepalive: { intervalMs: 15_000, timeoutMs: 10_000 },
      resumed: false,
    })
    await peer.destroy()
  })

  test.each([
    ['[case C14] a first frame that is not HELLO', rawRequest({ id: 1, method: 'conf.nothing' })],
    ['[case C14] HELLO with another magic', rawFrame(0x01, 0, 0, hex('43424f59 01 00 00 00 80'))],
    ['another major version', rawFrame(0x01, 0, 0, hex('43424f58 02 00 00 00 80'))],
    [
      'HELLO whose map is no map',
      rawFrame(0x01, 0, 0, hex('43424f58 01 00 00 00'), toMsgpack([1])),
    ],
    [
      'HELLO with a window that is too small',
      rawHello({
        limits: { maxFrame: 66_560, maxMessage: 1, maxMeta: 1, maxCalls: 1, window: 65_536 },
      }),
    ],
    ['no common codec', rawHello({ codecs: ['other'] })],
  ])('%s', async (_, frame) => {
    const peer = await connect()
    peer.sendFrames(frame)
    await isRefused(peer, protocol)
  })

  test.each([
    ['[case C15] a second HELLO', rawHello()],
    ['[case C15] WELCOME from a client', rawWelcome()],
    ['a REQUEST with an even id', rawRequest({ id: 2, method: 'conf.nothing' })],
    ['a frame for an id never opened', rawData(9, 1)],
    ['an unknown type', rawFrame(0x60, 0, 1)],
    ['COMPRESSED', rawFrame(0x11, 0x20, 1)],
    ['a position that was never sent', rawFrame(0x05, 0, 0, hex('00000009'))],
    ['[case C8] a BATCH that is empty, or on TCP at all', rawFrame(0x0a, 0, 0)],
  ])('%s', async (_, frame) => {
    const peer = await shaken()
    peer.sendFrames(frame)
    await isRefused(peer, protocol)
  })

  // A WebSocket has no prefix: its own lengths are tested where it is parsed.
  const lengths = [
    ['[case C5] a length shorter than a header', '00000005 1200000000'],
    ['[case C6] a length of 66,561', '00010401'],
  ] as const
  test.each(name === 'tcp' ? lengths : [])('%s', async (_, bytes) => {
    const peer = await shaken()
    peer.send(hex(bytes))
    await isRefused(peer, protocol)
  })

  test('[case C24] equal hashes: no names, ids by sorted name', async () => {
    const peer = await connect()
    const { body } = await peer.handshake({ contracts: [['conf', contractHash(conf)]] })
    expect(valueOf({ body: body.subarray(4) } as never)).not.toHaveProperty('methods')
    const sorted = Object.keys(conf)
      .filter((key) => key !== 'client')
      .toSorted()
    peer.sendFrames(rawRequest({ id: 1, method: sorted.indexOf('strict'), value: { n: 4 } }))
    expect(valueOf(await peer.nextOf(dataType))).toBe(4)
    await peer.destroy()
  })

  test('[case C25] another hash: the server names its methods; one it does not serve has none', async () => {
    const peer = await connect()
    const contracts = [
      ['conf', '0000000000000000'],
      ['stranger', '0000000000000000'],
    ]
    const { body } = await peer.handshake({ contracts })
    const { methods } = valueOf({ body: body.subarray(4) } as never) as {
      methods: Record<string, [string, string][]>
    }
    expect(methods['stranger']).toEqual([])
    const names = methods['conf']!.map(([method]) => method)
    expect(names).toEqual(names.toSorted())
    expect(names).toContain('strict')
    peer.sendFrames(rawRequest({ id: 1, method: 'conf.strict', value: { n: 5 } }))
    expect(valueOf(await peer.nextOf(dataType))).toBe(5)
    await peer.destroy()
  })

  test('[case C42] an unknown id or name is unimplemented, not processed', async () => {
    const peer = await shaken()
    peer.sendFrames(
      rawRequest({ id: 1, method: 60_000 }),
      rawRequest({ id: 3, method: 'conf.other' }),
    )
    for (const id of [1, 3]) {
      const frame = await peer.nextOf(errorType)
      expect(frame.id).toBe(id)
      expect(errorOf(frame)).toMatchObject({ code: unimplemented, flags: 1 })
    }
    await peer.destroy()
  })

  test('[case C44] REQUEST without END to a method with one input', async () => {
    const peer = await shaken()
    peer.sendFrames(rawRequest({ id: 1, method: 'conf.strict', value: { n: 1 }, open: true }))
    expect(errorOf(await peer.nextOf(errorType))).toMatchObject({ code: invalidArgument, flags: 1 })
    expect(runs).not.toContain('strict 1')
    // What was on its way is late, and forgiven.
    peer.sendFrames(rawData(1, 1), rawEnd(1), rawRequest({ id: 3, method: 'conf.nothing' }))
    expect((await peer.nextOf(dataType)).id).toBe(3)
    await peer.destroy()
  })

  test('[case C45] an invalid item: the call fails, processed', async () => {
    const peer = await shaken()
    peer.sendFrames(
      rawRequest({ id: 1, method: 'conf.strictItems', open: true }),
      rawData(1, 1),
      rawData(1, 99),
    )
    expect(errorOf(await peer.nextOf(errorType))).toMatchObject({ code: invalidArgument, flags: 0 })
    await peer.destroy()
  })

  test('a payload that does not decode fails its call only, and nothing of it comes back', async () => {
    const peer = await shaken()
    const name = new TextEncoder().encode('conf.values')
    const bad = rawFrame(0x10, 0x0a, 1, Uint8Array.of(name.length), name, hex('c1 736563726574'))
    peer.sendFrames(bad, rawRequest({ id: 3, method: 'conf.nothing' }))
    const error = errorOf(await peer.nextOf(errorType))
    expect(error).toMatchObject({ code: invalidArgument, flags: 1 })
    expect(JSON.stringify(error)).not.toContain('secret')
    expect((await peer.nextOf(dataType)).id).toBe(3)
    await peer.destroy()
  })

  test('[case C61] a deadline that is over when it arrives: the handler does not run', async () => {
    const peer = await shaken()
    peer.sendFrames(rawRequest({ id: 1, method: 'conf.strict', value: { n: 7 }, deadlineMs: 0 }))
    expect(errorOf(await peer.nextOf(errorType))).toMatchObject({ code: 4, flags: 1 })
    expect(runs).not.toContain('strict 7')
    await peer.destroy()
  })

  test('[case C41] an unknown event is dropped', async () => {
    const peer = await shaken()
    peer.sendFrames(rawNotify('conf.other', 1), rawRequest({ id: 1, method: 'conf.nothing' }))
    expect((await peer.next()).type).toBe(dataType)
    await peer.destroy()
  })

  test('calls may follow HELLO by name, and wait for authenticate', async () => {
    const peer = await connect()
    peer.sendFrames(rawHello(), rawRequest({ id: 1, method: 'conf.nothing' }))
    expect((await peer.next()).type).toBe(0x02)
    expect((await peer.nextOf(dataType)).id).toBe(1)
    await peer.destroy()
  })
})

describe.each(['tcp', 'ws'])('a raw server over %s', (name) => {
  const unary = async (
    answer: (peer: RawPeer, id: number) => void,
  ): Promise<RpcError | undefined> => {
    const raw = await RawServer.listen({ ws: name === 'ws' })
    const to = name === 'tcp' ? tcp({ host, port: raw.port }) : ws(`ws://${host}:${raw.port}/`)
    const client = createClient({ conf }, to)
    const call = safe(client.conf.notes(undefined, { timeoutMs: 5_000 }))
    const peer = await raw.accept()
    expect((await peer.next()).type).toBe(0x01)
    peer.sendFrames(rawWelcome())
    answer(peer, (await peer.nextOf(0x10)).id)
    const [error] = await call
    await client.close()
    await raw.close()
    return error
  }

  test('[case C43] DATA twice, and END without DATA', async () => {
    const twice = await unary((peer, id) => peer.sendFrames(rawData(id, []), rawData(id, [], true)))
    expect(twice).toMatchObject({ code: 'internal', processed: 'yes' })
    const none = await unary((peer, id) => peer.sendFrames(rawEnd(id)))
    expect(none).toMatchObject({ code: 'internal', processed: 'yes' })
  })

  test('[case C57] an unknown error code is named', async () => {
    const error = await unary((peer, id) => peer.sendFrames(rawError(id, 200)))
    expect(error).toMatchObject({ code: 'unknown', processed: 'yes' })
    expect(error?.message).toContain('200')
  })

  test('[case C58] an ERROR whose body is not msgpack keeps its code', async () => {
    const error = await unary((peer, id) =>
      peer.sendFrames(rawFrame(0x13, 0, id, hex('05 00 c1 ff'))),
    )
    expect(error).toMatchObject({ code: 'not_found', message: '', processed: 'yes' })
  })

  test('NOT_PROCESSED says that the handler did not run', async () => {
    const error = await unary((peer, id) => peer.sendFrames(rawError(id, 7, 1, 'no')))
    expect(error).toMatchObject({ code: 'permission_denied', message: 'no', processed: 'no' })
  })

  test('a link that is lost after the REQUEST: nobody knows', async () => {
    const error = await unary((peer) => void peer.destroy())
    expect(error).toMatchObject({ code: 'session_lost', processed: 'unknown' })
  })
})
