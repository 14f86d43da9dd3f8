// Threats of calls and streams, by a raw peer over TCP and WebSocket.

import { createClient, safe, type RpcError } from '@callbox/client'
import { clientStream, contract, serverStream, unary } from '@callbox/core'
import { resolveLimits } from '@callbox/core/internal'
import { implement } from '@callbox/server'
import { memory, VirtualClock } from '@callbox/testing'
import {
  errorOf,
  fromMsgpack,
  goAwayOf,
  hex,
  joined,
  prefixed,
  rawCancel,
  rawCredit,
  rawData,
  rawEnd,
  rawError,
  rawFrame,
  rawNotify,
  rawPing,
  rawRequest,
  RawServer,
  rawWelcome,
  toMsgpack,
  u32,
} from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { conf } from '@callbox/testing/conformance'
import {
  cleanUp,
  code,
  host,
  isCut,
  isServed,
  lives,
  notProcessed,
  serve,
  type,
} from './hostile.ts'

cleanUp()

const KiB = 1024
const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value)
const hang = (id: number): Uint8Array => rawRequest({ id, method: 'conf.hang', value: `${id}` })
/** A REQUEST with a method by name, of any bytes. */
const named = (id: number, name: Uint8Array): Uint8Array =>
  rawFrame(type.request, 0x0a, id, Uint8Array.of(name.length), name)
/** A REQUEST with metadata. */
const withMeta = (id: number, map: Readonly<Record<string, unknown>>): Uint8Array => {
  const name = Buffer.from('conf.nothing')
  const meta = toMsgpack(map)
  return rawFrame(type.request, 0x0e, id, Uint8Array.of(name.length), name, u16(meta.length), meta)
}

describe.each(['tcp', 'ws'] as const)('over %s', (name) => {
  test('names that every object has, and ids past the last, are one and the same answer [threat K1]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', 'a.b', '']
    const inside = names.map((method) => `conf.${method}`)
    const frames = [...names, ...inside, 'x'.repeat(129), 'conf', 'conf.nothing.x'].map(
      (method, at) => named(2 * at + 1, Buffer.from(method)),
    )
    let id = 2 * frames.length + 1
    for (const method of [0xfffe, 0xffff, 400]) {
      frames.push(rawRequest({ id, method }))
      id += 2
    }
    // No text at all.
    frames.push(named(id, Uint8Array.of(0xff, 0xfe)))
    peer.sendFrames(...frames)
    const answers = new Set<string>()
    for (let at = 0; at < frames.length; at += 1) {
      const frame = await peer.nextOf(type.error)
      const error = errorOf(frame)
      expect(error.code).toBe(code.unimplemented)
      expect(error.flags & notProcessed).toBe(notProcessed)
      answers.add(Buffer.from(frame.body).toString('hex'))
    }
    expect(answers.size).toBe(1)
    await lives(peer, id + 2)
  })

  test.each<[string, () => readonly Uint8Array[]]>([
    ['an id that is open', () => [hang(5), hang(5)]],
    ['an id that is not ahead', () => [hang(7), hang(5)]],
    ['id 0', () => [rawFrame(type.request, 0x0a, 0, Uint8Array.of(1), Buffer.from('x'))]],
    ['an id of the other side', () => [hang(2)]],
    ['DATA for an id never opened', () => [rawData(9, 1)]],
    ['END for an id never opened', () => [rawEnd(9)]],
    ['CANCEL for an id never opened', () => [rawCancel(9)]],
    ['an ERROR for an id never opened', () => [rawError(9, 1)]],
    ['CREDIT for an id never opened', () => [rawCredit(9, 65_536)]],
    ['an id beyond 2^30', () => [hang(2 ** 30 + 1)]],
  ])('%s ends the connection [threat K2]', async (_, frames) => {
    const world = await serve(name)
    const peer = await world.connect()
    peer.sendFrames(...frames())
    await isCut(world, peer, code.protocol, '')
    expect(world.metrics.counter('connections_closed', 'protocol')).toBe(1)
  })

  test('metadata: too many entries, too many bytes, keys that cannot be [threat K10]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    const entries = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (__, at) => [`k${at}`, 'v']))
    const proto = Object.fromEntries([['__proto__', 'x']])
    const cases: readonly [Record<string, unknown>, number | undefined][] = [
      [entries(64), undefined],
      [entries(65), code.resourceExhausted],
      [{ a: 'x'.repeat(8_192 - 6) }, undefined],
      [{ a: 'x'.repeat(8_192) }, code.resourceExhausted],
      [{ A: 'x' }, code.invalidArgument],
      [{ ['k'.repeat(64)]: 'x' }, undefined],
      [{ ['k'.repeat(65)]: 'x' }, code.invalidArgument],
      [proto, code.invalidArgument],
      [{ ':later': 'x' }, undefined],
    ]
    for (const [at, [map, expected]] of cases.entries()) {
      const id = 2 * at + 1
      peer.sendFrames(withMeta(id, map))
      if (expected === undefined) expect((await peer.nextOf(type.data)).id).toBe(id)
      else {
        const frame = await peer.nextOf(type.error)
        expect(frame.id).toBe(id)
        expect(errorOf(frame).code).toBe(expected)
        expect(errorOf(frame).flags & notProcessed).toBe(notProcessed)
      }
    }
    expect(world.metrics.counter('limit_hits', 'maxMeta')).toBe(1)
  })

  test('deadlines of the wire: 0, absent, 49 days [threat K8]', async () => {
    const clock = new VirtualClock()
    const world = await serve(name, { maxCallMs: 2_000 }, { clock })
    const peer = await world.connect()
    peer.sendFrames(rawRequest({ id: 1, method: 'conf.hang', value: 'zero', deadlineMs: 0 }))
    const late = errorOf(await peer.nextOf(type.error))
    expect(late.code).toBe(code.deadlineExceeded)
    expect(late.flags & notProcessed).toBe(notProcessed)
    peer.sendFrames(
      rawRequest({ id: 3, method: 'conf.hang', value: 'absent' }),
      rawRequest({ id: 5, method: 'conf.hang', value: 'long', deadlineMs: 0xffffffff }),
    )
    await expect.poll(() => world.server.inspect().connections[0]!.calls.served).toBe(2)
    // 5 minutes by default; each look of the lag monitor costs the virtual clock real time.
    expect(resolveLimits().maxCallMs).toBe(300_000)
    await clock.advance(1_999)
    expect(peer.frames.some((frame) => frame[0] === type.error && frame[5] === 3)).toBe(false)
    await clock.advance(1)
    for (const id of [3, 5]) {
      const frame = await peer.nextOf(type.error)
      expect(frame.id).toBe(id)
      expect(errorOf(frame)).toMatchObject({
        code: code.deadlineExceeded,
        body: ['over limits.maxCallMs'],
      })
    }
    expect(world.metrics.counter('limit_hits', 'maxCallMs')).toBe(2)
    for (const [id, value] of [
      [7, 'absent'],
      [9, 'long'],
    ] as const) {
      peer.sendFrames(rawRequest({ id, method: 'conf.aborted', value }))
      expect(fromMsgpack((await peer.nextOf(type.data)).body)).toBe(true)
    }
  })

  test('answers that get no CREDIT hold a slot until the longest a call may take [threat S3]', async () => {
    const clock = new VirtualClock()
    const world = await serve(name, { maxCalls: 3, maxCallMs: 2_000 }, { clock })
    const peer = await world.connect()
    // In fragments: an answer of 300 KiB does not fit in the window of 256 KiB.
    const value = new Uint8Array(60 * KiB)
    const total = 300 * KiB
    const parts = total / value.length
    for (const id of [1, 3, 5]) {
      const size = Buffer.from('conf.size')
      const bin = joined(hex('c6'), u32(total))
      const first = joined(Uint8Array.of(size.length), size, u32(total + 5), bin)
      // NAMED and MORE, then CONT and MORE, at last CONT and END.
      peer.sendFrames(rawFrame(type.request, 0x09, id, first))
      for (let part = 0; part < parts; part += 1) {
        const last = part === parts - 1
        // What is more than the window waits for its CREDIT.
        if (part === 4) await peer.nextOf(type.credit)
        peer.sendFrames(rawFrame(type.data, last ? 0x42 : 0x41, id, value))
      }
    }
    await expect
      .poll(() => world.server.inspect().connections[0]!.bytes.waiting)
      .toBeGreaterThan(3 * 64 * KiB)
    peer.sendFrames(rawRequest({ id: 7, method: 'conf.nothing' }))
    const refused = await peer.nextOf(type.error)
    expect(refused.id).toBe(7)
    expect(errorOf(refused)).toMatchObject({ code: code.resourceExhausted })
    await clock.advance(2_000)
    for (const id of [1, 3, 5]) {
      const frame = await peer.nextOf(type.error)
      expect(frame.id).toBe(id)
      expect(errorOf(frame)).toMatchObject({ code: code.deadlineExceeded })
    }
    expect(world.server.inspect().connections[0]).toMatchObject({
      calls: { served: 0 },
      bytes: { waiting: 0, held: 0 },
    })
    await lives(peer, 9)
  })

  test('streamStallMs ends streams whose reader grants nothing [threat S3]', async () => {
    const clock = new VirtualClock()
    const world = await serve(name, { streamStallMs: 1_000 }, { clock })
    const peer = await world.connect()
    peer.sendFrames(
      rawRequest({ id: 1, method: 'conf.hangStream', value: { id: 'stuck', items: 100_000 } }),
      rawRequest({ id: 3, method: 'conf.hangStream', value: { id: 'idle', items: 1 } }),
    )
    await expect.poll(() => peer.frames.length).toBeGreaterThan(3_900)
    await clock.advance(1_600)
    const frame = await peer.nextOf(type.error)
    expect(frame.id).toBe(1)
    expect(errorOf(frame)).toMatchObject({
      code: code.resourceExhausted,
      body: ['no credit within limits.streamStallMs'],
    })
    expect(world.metrics.counter('limit_hits', 'streamStallMs')).toBe(1)
    expect(world.server.inspect().connections[0]!.calls.served).toBe(1)
  })

  const orders = permutations(['DATA', 'END', 'CANCEL', 'CREDIT'])
  test.each(orders)('%s, %s, %s, %s [threat S4]', async (...order) => {
    const world = await serve(name)
    const peer = await world.connect()
    const frames: Readonly<Record<string, Uint8Array>> = {
      DATA: rawData(1, 'item'),
      END: rawEnd(1),
      CANCEL: rawCancel(1),
      CREDIT: rawCredit(1, 65_536),
    }
    const value = { id: 'a', items: 0 }
    peer.sendFrames(rawRequest({ id: 1, method: 'conf.hangBoth', value, open: true }))
    peer.sendFrames(...order.map((each) => frames[each]!))
    const at = (each: string): number => order.indexOf(each)
    // DATA after END is a broken rule while the call is open; late once it was cancelled.
    if (at('END') < at('DATA') && at('DATA') < at('CANCEL'))
      await isCut(world, peer, code.protocol, 'after END')
    else {
      await lives(peer, 3)
      await expect.poll(() => world.server.inspect().connections[0]!.calls.served).toBe(0)
    }
  })

  test('events that are never handled: 4,096 of them, no more [threat S9]', async () => {
    const stuck = contract('stuck', { note: conf.note })
    let running = 0
    const services = [
      implement(stuck, {
        note: () => {
          running += 1
          return new Promise<void>(() => undefined)
        },
      }),
    ]
    const world = await serve(name, {}, { services })
    const peer = await world.connect()
    // Each costs 64 and its payload: an empty map with one key, 4 bytes.
    const event = rawNotify('stuck.note', { n: 1 })
    const most = Math.floor(262_144 / (64 + 4))
    for (let sent = 0; sent < most; sent += 500)
      peer.sendFrames(...new Array<Uint8Array>(Math.min(500, most - sent)).fill(event))
    await lives(peer, 1)
    expect(running).toBe(most)
    expect(peer.frames.some((frame) => frame[0] === type.credit)).toBe(false)
    peer.sendFrames(event)
    await isCut(world, peer, code.flowControl, 'events beyond their window')
  })

  test('10,000 events that cannot be: their credit comes back [threat S9]', async () => {
    const world = await serve(name)
    const peer = await world.connect()
    let credit = 262_144
    const event = rawNotify('conf.note', { n: -1 })
    let read = 0
    for (let sent = 0; sent < 10_000; sent += 100) {
      peer.sendFrames(...new Array<Uint8Array>(100).fill(event))
      credit -= 100 * 68
      await lives(peer, 2 * (sent / 100) + 1)
      for (; read < peer.frames.length; read += 1) {
        const frame = Buffer.from(peer.frames[read]!)
        if (frame[0] === type.credit && frame.readUInt32BE(2) === 0) credit += frame.readUInt32BE(6)
      }
      expect(credit).toBeGreaterThan(0)
    }
    peer.sendFrames(rawCredit(0, 0))
    await isCut(world, peer, code.flowControl, 'bad credit')
  })

  test('a reader that takes nothing: exactly what its window covers is on its way [threat F16]', async () => {
    const tiny = contract('tiny', { ones: serverStream({ output: T.Integer() }) })
    let made = 0
    const services = [
      implement(tiny, {
        ones: async function* () {
          for (;;) {
            made += 1
            yield 1
          }
        },
      }),
    ]
    const world = await serve(name, {}, { services })
    const peer = await world.connect()
    peer.sendFrames(rawRequest({ id: 1, method: 'tiny.ones' }))
    // One byte each, and 64: 262,144 / 65.
    const items = (): number => peer.frames.filter((frame) => frame[0] === type.data).length
    await expect.poll(items).toBe(4_032)
    await lives(peer, 3)
    expect(items()).toBe(4_033)
    expect(made).toBe(4_033)
    const { bytes } = world.server.inspect().connections[0]!
    expect(bytes.waiting).toBeLessThan(256)
  })

  test('10,000 loops left by break leave no stream behind [threat S7]', async () => {
    const world = await serve(name)
    const to = name === 'tcp' ? tcp({ host, port: world.port }) : ws(`ws://${host}:${world.port}/`)
    const client = createClient({ conf }, to)
    for (let round = 0; round < 100; round += 1)
      await Promise.all(
        Array.from({ length: 100 }, async (__, at) => {
          for await (const item of client.conf.hangStream({ id: `${at}`, items: 1 })) {
            expect(item).toBe(0)
            break
          }
        }),
      )
    await expect.poll(() => world.server.inspect().connections[0]!.calls.served).toBe(0)
    expect(client.inspect().connection?.calls.made ?? 0).toBe(0)
    expect(world.metrics.counter('limit_hits', 'resetBudget')).toBe(0)
    await client.close()
  }, 60_000)

  describe('the prefixes of a conversation [threat F13]', () => {
    test.each(['FIN', 'RST', 'half-close'] as const)('each with %s', async (how) => {
      const seen: unknown[] = []
      const watched = contract('watched', {
        one: unary({ input: T.Object({ n: T.Integer() }) }),
        many: clientStream({ input: T.String() }),
      })
      const services = [
        implement(watched, {
          one: ({ n }) => void seen.push(n),
          many: async (__, { input }) => {
            try {
              for await (const text of input) seen.push(text)
            } catch {
              // The link was lost on the way.
            }
          },
        }),
      ]
      const world = await serve(name, {}, { services })
      const text = 'whole text or none'
      const recorded = [
        rawRequest({ id: 1, method: 'watched.one', value: { n: 7 } }),
        rawRequest({ id: 3, method: 'watched.many', open: true }),
        rawData(3, text),
        rawEnd(3),
      ]
      const wrap = (frame: Uint8Array): Uint8Array =>
        name === 'tcp'
          ? prefixed(frame)
          : joined(Uint8Array.of(0x82, 0x80 | frame.length), u32(0), frame)
      const bytes = joined(...recorded.map(wrap))
      for (let end = 0; end <= bytes.length; end += 1) {
        const peer = await world.connect()
        peer.send(bytes.subarray(0, end))
        if (how === 'RST') peer.socket.resetAndDestroy()
        else if (how === 'FIN') peer.socket.end()
        else peer.socket.end(() => peer.socket.resume())
        await peer.closed
        await peer.destroy()
      }
      await expect.poll(() => world.server.inspect().connections).toEqual([])
      expect(seen.every((value) => value === 7 || value === text)).toBe(true)
      expect(seen).toContain(7)
      await isServed(world)
    })
  })
})

test('a BATCH of 1,000 calls is 1,000 calls [threat K11]', async () => {
  const world = await serve('ws')
  const peer = await world.connect()
  const calls = Array.from({ length: 1_000 }, (_, at) => prefixed(hang(2 * at + 1)))
  // As many as fit in one message each.
  for (let at = 0; at < 1_000; at += 500)
    peer.sendFrames(rawFrame(type.batch, 0, 0, ...calls.slice(at, at + 500)))
  for (let refused = 0; refused < 744; refused += 1)
    expect(errorOf(await peer.nextOf(type.error))).toMatchObject({
      code: code.resourceExhausted,
    })
  expect(world.server.inspect().connections[0]!.calls.served).toBe(256)
  expect(world.metrics.counter('limit_hits', 'maxCalls')).toBe(744)
})

function permutations(all: readonly string[]): [string, string, string, string][] {
  const found: string[][] = [[]]
  for (const _ of all)
    for (const partial of found.splice(0))
      for (const next of all) if (!partial.includes(next)) found.push([...partial, next])
  return found as [string, string, string, string][]
}

describe('what handlers throw stays here [threat K7]', () => {
  const bad = contract('bad', { go: unary({ input: T.Integer() }) })
  const cyclic = new Error('secret')
  cyclic.cause = cyclic
  const thrown: readonly unknown[] = [
    new Error('secret'),
    null,
    1,
    new Proxy(new Error('secret'), {
      get() {
        throw new Error('secret')
      },
    }),
    cyclic,
    new Error('secret'.repeat(1_700_000)),
  ]

  test.each(thrown.map((_, at) => at))('value %i', async (at) => {
    const logged: Readonly<Record<string, unknown>>[] = []
    const services = [
      implement(bad, {
        go: () => {
          throw thrown[at] as Error
        },
      }),
    ]
    const world = await serve(
      'tcp',
      {},
      { services, logger: (_, __, fields) => void logged.push(fields) },
    )
    const peer = await world.connect()
    peer.sendFrames(rawRequest({ id: 1, method: 'bad.go', value: 1 }))
    const frame = await peer.nextOf(type.error)
    expect(frame.body.length).toBeLessThanOrEqual(256)
    expect(Buffer.from(frame.body).toString('latin1')).not.toContain('secret')
    const error = errorOf(frame)
    expect(error.code).toBe(code.internal)
    expect(error.flags & notProcessed).toBe(0)
    const [id] = /[0-9a-f]{16}/.exec(JSON.stringify(error.body)) ?? []
    expect(id).toBeDefined()
    const entry = logged.find((fields) => Object.values(fields).includes(id))
    expect(entry !== undefined && Object.values(entry).some((value) => value === thrown[at])).toBe(
      true,
    )
    await lives(peer, 3)
  })
})

test('deadlines at the API: nothing left, nonsense, for ever [threat K8]', async () => {
  const world = await serve('tcp')
  const client = createClient({ conf }, tcp({ host, port: world.port }))
  const failure = async (timeoutMs: number): Promise<RpcError | undefined> =>
    (await safe(client.conf.nothing(undefined, { timeoutMs })))[0]
  expect(await failure(0)).toMatchObject({ code: 'deadline_exceeded', processed: 'no' })
  for (const timeoutMs of [-1, Number.NaN])
    expect(await failure(timeoutMs)).toMatchObject({ code: 'invalid_argument', processed: 'no' })
  for (const timeoutMs of [2 ** 31, 2 ** 32, 1e308])
    expect(await failure(timeoutMs)).toBeUndefined()
  await client.close()
})

test('our own metadata: 65 entries, 8,193 bytes, a key that cannot be [threat K10]', async () => {
  const transport = memory()
  const client = createClient({ conf }, transport)
  const failure = async (metadata: Record<string, string>): Promise<RpcError | undefined> =>
    (await safe(client.conf.nothing(undefined, { metadata, timeoutMs: 50 })))[0]
  const entries = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`k${at}`, 'v']))
  expect(await failure(entries)).toMatchObject({ code: 'resource_exhausted', processed: 'no' })
  const long = { a: 'x'.repeat(8_193) }
  expect(await failure(long)).toMatchObject({ code: 'resource_exhausted', processed: 'no' })
  for (const key of ['A', '', 'k'.repeat(65), 'a.b'])
    expect(await failure({ [key]: 'x' })).toMatchObject({ code: 'invalid_argument' })
  await client.close()
})

describe.each(['tcp', 'ws'] as const)('a hostile server over %s [threat K6]', (name) => {
  test.each<[string, (id: number) => readonly Uint8Array[], string]>([
    ['a second WELCOME', () => [rawWelcome()], 'protocol'],
    ['a HELLO', () => [rawFrame(type.hello, 0, 0)], 'protocol'],
    ['an unknown type', () => [rawFrame(0x60, 0, 1)], 'protocol'],
    ['COMPRESSED', (id) => [rawFrame(type.data, 0x20, id)], 'protocol'],
    ['a REQUEST with an odd id', () => [hang(1)], 'protocol'],
    ['DATA for a call never made', () => [rawData(9_999, 1)], 'protocol'],
    ['a position that was never sent', () => [rawFrame(0x05, 0, 0, u32(99))], 'protocol'],
    ['CREDIT of nothing', (id) => [rawCredit(id, 0)], 'flow_control'],
    ['bad CREDIT for events', () => [rawCredit(0, 0)], 'flow_control'],
    ['PINGs in a flood', () => new Array(20).fill(rawPing()) as Uint8Array[], 'resource_exhausted'],
    [
      'an answer that does not decode',
      (id) => [rawFrame(type.data, 0x02, id, hex('c1'))],
      'internal',
    ],
    [
      'an answer that is too deep',
      (id) => [rawFrame(type.data, 0x02, id, new Uint8Array(1_000).fill(0x91))],
      'internal',
    ],
    [
      'an answer over maxMessage',
      (id) => [rawFrame(type.data, 0x01, id, u32(2 ** 31), hex('c6'))],
      'resource_exhausted',
    ],
  ])('%s', async (_, frames, expected) => {
    const raw = await RawServer.listen({ ws: name === 'ws' })
    const to = name === 'tcp' ? tcp({ host, port: raw.port }) : ws(`ws://${host}:${raw.port}/`)
    const client = createClient({ conf }, to)
    const call = safe(client.conf.notes(undefined, { timeoutMs: 8_000 }))
    const peer = await raw.accept()
    expect((await peer.next()).type).toBe(type.hello)
    peer.sendFrames(rawWelcome())
    const { id } = await peer.nextOf(type.request)
    peer.sendFrames(...frames(id))
    const [error] = await call
    expect(error?.code).toBe(expected)
    if (error?.code === 'protocol') {
      expect(goAwayOf(await peer.nextOf(type.goAway)).code).toBe(code.protocol)
    }
    // Over WebSocket the client waits for our close frame, a second at most.
    await Promise.all([client.close(), peer.destroy()])
    await raw.close()
  })

  test('lengths that cannot be, and a message in pieces that never ends', async () => {
    const raw = await RawServer.listen({ ws: name === 'ws' })
    const to = name === 'tcp' ? tcp({ host, port: raw.port }) : ws(`ws://${host}:${raw.port}/`)
    const client = createClient({ conf }, to, { limits: { frameMs: 60, reconnectMs: 1 } })
    const pieces =
      name === 'tcp'
        ? ['00010401', 'ffffffff', '00000000', '00000006 1100']
        : ['827f0000000000010401', '827fffffffffffffffff', '828100000000ff', '0201ff']
    for (const bytes of pieces) {
      const call = safe(client.conf.notes(undefined, { timeoutMs: 8_000 }))
      const peer = await raw.accept()
      expect((await peer.next()).type).toBe(type.hello)
      peer.sendFrames(rawWelcome())
      await peer.nextOf(type.request)
      peer.send(hex(bytes))
      expect(['protocol', 'session_lost', 'resource_exhausted']).toContain((await call)[0]?.code)
      await peer.destroy()
    }
    await client.close()
    await raw.close()
  })
})
