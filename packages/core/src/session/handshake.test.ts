import { Bytes } from '../contract/schemas.ts'
import { contract, methodsOf, type AnyContract } from '../contract/contract.ts'
import { contractHash, methodHash } from '../contract/fingerprint.ts'
import { serverStream, unary } from '../contract/kinds.ts'
import { encodeValue } from '../codec/msgpack-value.ts'
import { resolveLimits } from '../base/limits.ts'
import { hex, toHex, toMsgpack } from '@callbox/testing/node'
import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import {
  ByName,
  Changed,
  decodeMap,
  idsOfClient,
  idsOfServer,
  readHello,
  readLimits,
  readWelcome,
  stampOf,
  stampsFor,
  statedLimits,
  Unserved,
  writeHello,
  writeWelcome,
} from './handshake.ts'

const limits = resolveLimits()
const stated = {
  maxFrame: 66_560,
  maxMessage: 4_194_304,
  maxMeta: 8_192,
  maxCalls: 256,
  window: 262_144,
}
const hello = {
  client: { name: 'page', version: '7' },
  contracts: [['chat', '0123456789abcdef']] as const,
  codecs: ['msgpack'],
  limits: stated,
}
const server = { name: 'lobby', version: '2', epoch: 'e' }
const keepalive = { intervalMs: 15_000, timeoutMs: 10_000 }
const welcome = {
  server,
  codec: 'msgpack',
  limits: stated,
  keepalive,
  resumed: false,
  received: 0,
}
const ticket = { id: new Uint8Array(16).fill(1), token: new Uint8Array(16).fill(2) }

/** A frame as it would come: built by the raw peer, which shares no line with what reads it. */
const rawHello = (map: unknown, fields = '43424f58 01 00 00 00'): Uint8Array =>
  Buffer.concat([hex('01 00 00000000'), hex(fields), toMsgpack(map)])
const rawWelcome = (map: unknown, fields = '01 00 0000'): Uint8Array =>
  Buffer.concat([hex('02 00 00000000'), hex(fields), toMsgpack(map)])
const asHello = (bytes: Uint8Array) => readHello(bytes, 0, bytes.length, limits)
const asWelcome = (bytes: Uint8Array) => readWelcome(bytes, 0, bytes.length, limits)

describe('HELLO', () => {
  test('is read as it was written', () => {
    const { buffer, start, end } = writeHello({ ...hello, auth: { token: 'x' } })
    expect(toHex(buffer.subarray(start, start + 14))).toBe('010000000000' + '43424f58' + '01000000')
    expect(readHello(buffer, start, end, limits)).toEqual({ ...hello, auth: { token: 'x' } })
  })

  test('without a credential has no `auth`', () => {
    const { buffer, start, end } = writeHello(hello)
    expect(decodeMap(buffer, start + 14, end, limits)).not.toHaveProperty('auth')
    expect(readHello(buffer, start, end, limits).auth).toBeUndefined()
  })

  test('unknown keys are ignored [case C10]', () => {
    const later = { ...hello, later: { a: [1] }, limits: { ...stated, maxLater: -1 } }
    expect(asHello(rawHello(later))).toEqual({ ...hello, auth: undefined })
  })

  test('a name is text, and no longer than 128', () => {
    const client = { name: 'n'.repeat(1_000), version: 7 }
    expect(asHello(rawHello({ ...hello, client })).client).toEqual({
      name: 'n'.repeat(128),
      version: '',
    })
    expect(asHello(rawHello({ ...hello, client: 'page' })).client).toEqual({
      name: '',
      version: '',
    })
  })

  test('with a session to go on with', () => {
    const session = { ...ticket, received: 2 ** 32 - 1 }
    const { buffer, start, end } = writeHello({ ...hello, session })
    expect(readHello(buffer, start, end, limits).session).toEqual(session)
  })

  test.each<readonly [string, unknown]>([
    ['that is no map', 'session'],
    ['without a token', { id: ticket.id, received: 0 }],
    ['with an id of 15 bytes', { ...ticket, id: new Uint8Array(15), received: 0 }],
    ['with a token of 17 bytes', { ...ticket, token: new Uint8Array(17), received: 0 }],
    ['with a token that is text', { ...ticket, token: 'x'.repeat(16), received: 0 }],
    ['without a position', ticket],
    ['with a position of 2^32', { ...ticket, received: 2 ** 32 }],
    ['with a position below 0', { ...ticket, received: -1 }],
    ['with a position and a half', { ...ticket, received: 1.5 }],
  ])('a session %s is refused', (_, session) => {
    expect(() => asHello(rawHello({ ...hello, session }))).toThrow('[protocol]')
  })

  test('cut at every byte is refused, never read past its end', () => {
    const { buffer, start, end } = writeHello({ ...hello, auth: 'secret' })
    for (let cut = start + 6; cut < end; cut += 1)
      expect(() => readHello(buffer, start, cut, limits), `cut at ${cut}`).toThrow('[protocol]')
  })

  test.each<readonly [string, unknown, string]>([
    ['a map that is a list', [1], 'malformed map'],
    ['a map that is a number', 1, 'malformed map'],
    ['no limits', { ...hello, limits: null }, 'limits are missing'],
    ['a limit left out', { ...hello, limits: { ...stated, maxCalls: null } }, 'maxCalls'],
    ['codecs that are no list', { ...hello, codecs: 'msgpack' }, 'codecs'],
    ['a codec that is no name', { ...hello, codecs: [1] }, 'codecs'],
    ['contracts that are no list', { ...hello, contracts: {} }, 'malformed list in HELLO'],
    ['a contract without a hash', { ...hello, contracts: [['a']] }, 'malformed list in HELLO'],
    ['a contract of three parts', { ...hello, contracts: [['a', 'b', 'c']] }, 'malformed list'],
    ['a hash that is a number', { ...hello, contracts: [['a', 1]] }, 'malformed list in HELLO'],
    [
      'a contract twice',
      {
        ...hello,
        contracts: [
          ['a', 'b'],
          ['a', 'c'],
        ],
      },
      'twice in HELLO',
    ],
  ])('%s is refused', (_, map, reason) => {
    expect(() => asHello(rawHello(map))).toThrow(reason)
  })

  test.each([
    ['another magic', '43424f59 01 00 00 00', 'first frame is not HELLO'],
    ['another major', '43424f58 02 00 00 00', 'version 2 of the peer is not version 1.0'],
    [
      'a minor range above ours',
      '43424f58 01 01 03 00',
      'version 1.1 of the peer is not version 1.0',
    ],
    ['a minor range upside down', '43424f58 01 02 01 00', 'malformed HELLO'],
    ['a reserved byte', '43424f58 01 00 00 01', 'malformed HELLO'],
  ])('%s is refused [case C17]', (_, fields, reason) => {
    expect(() => asHello(rawHello(hello, fields))).toThrow(reason)
  })

  test('minor ranges 0 to 3 meet ours at 0 [case C18]', () => {
    expect(asHello(rawHello(hello, '43424f58 01 00 03 00'))).toMatchObject({ codecs: ['msgpack'] })
  })

  test('over maxHello is refused, whatever it says', () => {
    const most = resolveLimits({ maxHello: 200 })
    const fits = rawHello(hello)
    expect(fits.length).toBeLessThanOrEqual(200)
    expect(readHello(fits, 0, fits.length, most).codecs).toEqual(['msgpack'])
    const bytes = rawHello({ ...hello, auth: 'x'.repeat(200) })
    expect(() => readHello(bytes, 0, bytes.length, most)).toThrow('HELLO over limits.maxHello')
  })

  test('what its map decodes to is never in the error', () => {
    const bytes = Buffer.concat([rawHello(hello), Buffer.from('trailing secret')])
    expect(() => asHello(bytes)).toThrow(/^\[protocol\] malformed map$/)
  })
})

describe('WELCOME', () => {
  test('is read as it was written', () => {
    const { buffer, start, end } = writeWelcome(welcome)
    expect(toHex(buffer.subarray(start, start + 10))).toBe('020000000000' + '01000000')
    expect(readWelcome(buffer, start, end, limits)).toEqual({ ...welcome, methods: undefined })
  })

  test('with methods; none are sent where all hashes agree', () => {
    const methods = { chat: [['say', 'f00d'] as const], gone: [] }
    const { buffer, start, end } = writeWelcome({ ...welcome, methods })
    expect(readWelcome(buffer, start, end, limits).methods).toEqual(methods)
    const none = writeWelcome({ ...welcome, methods: {} })
    expect(readWelcome(none.buffer, none.start, none.end, limits).methods).toBeUndefined()
  })

  test('unknown keys are ignored [case C10]', () => {
    expect(asWelcome(rawWelcome({ ...welcome, caps: 7, later: 1 }))).toEqual({
      ...welcome,
      methods: undefined,
    })
  })

  test('a keepalive that is no time is ours', () => {
    const odd = { intervalMs: 0, timeoutMs: 'soon' }
    expect(asWelcome(rawWelcome({ ...welcome, keepalive: odd })).keepalive).toEqual({
      intervalMs: limits.pingIntervalMs,
      timeoutMs: limits.pingTimeoutMs,
    })
    for (const intervalMs of [2 ** 31, -1, Number.NaN])
      expect(
        asWelcome(rawWelcome({ ...welcome, keepalive: { intervalMs, timeoutMs: 1 } })).keepalive,
      ).toEqual({ intervalMs: limits.pingIntervalMs, timeoutMs: 1 })
  })

  test('cut at every byte is refused', () => {
    const { buffer, start, end } = writeWelcome({ ...welcome, methods: { chat: [] } })
    for (let cut = start + 6; cut < end; cut += 1)
      expect(() => readWelcome(buffer, start, cut, limits), `cut at ${cut}`).toThrow('[protocol]')
  })

  test.each<readonly [string, unknown, string, string]>([
    ['another major', welcome, '02 00 0000', 'version 2.0 of the peer'],
    ['a minor above ours', welcome, '01 01 0000', 'version 1.1 of the peer'],
    ['reserved bytes', welcome, '01 00 0001', 'malformed WELCOME'],
    ['methods that are a list', { ...welcome, methods: [] }, '01 00 0000', 'malformed WELCOME'],
    [
      'a method twice',
      {
        ...welcome,
        methods: {
          a: [
            ['b', 'c'],
            ['b', 'd'],
          ],
        },
      },
      '01 00 0000',
      'twice',
    ],
    ['no limits', { ...welcome, limits: [] }, '01 00 0000', 'limits are missing'],
  ])('%s is refused', (_, map, fields, reason) => {
    expect(() => asWelcome(rawWelcome(map, fields))).toThrow(reason)
  })

  test('with a session, a position and an expiry', () => {
    const terms = {
      ...welcome,
      session: { ...ticket, graceMs: 30_000 },
      resumed: true,
      received: 7,
      expiresInMs: 60_000,
    }
    const { buffer, start, end } = writeWelcome(terms)
    expect(readWelcome(buffer, start, end, limits)).toEqual({ ...terms, methods: undefined })
  })

  test.each<readonly [string, object]>([
    ['a session that is no map', { session: 1 }],
    ['a session without its id', { session: { token: ticket.token, graceMs: 1 } }],
    ['a position that is none', { received: 'all' }],
    ['a position of 2^32', { received: 2 ** 32 }],
  ])('%s is refused', (_, part) => {
    expect(() => asWelcome(rawWelcome({ ...welcome, ...part }))).toThrow('[protocol]')
  })

  test('a HELLO in its place is refused', () => {
    expect(() => asWelcome(rawHello(hello))).toThrow('first frame is not WELCOME')
  })
})

describe('limits of the peer', () => {
  test('are the five that it states', () => {
    expect(statedLimits(limits)).toEqual(stated)
    expect(readLimits({ ...stated })).toEqual(stated)
  })

  test('a frame above ours counts as ours [case C6]', () => {
    expect(readLimits({ ...stated, maxFrame: 10_000_000 }).maxFrame).toBe(66_560)
  })

  test.each([
    ['maxFrame', 16_383, 'limits.maxFrame is below 16384'],
    ['window', 131_071, 'limits.window is below 131072'],
    ['window', 65_536, 'limits.window is below 131072'],
    ['maxMessage', -1, 'limits.maxMessage is no limit'],
    ['maxMessage', 1.5, 'limits.maxMessage is no limit'],
    ['maxCalls', 2 ** 31, 'limits.maxCalls is no limit'],
    ['maxMeta', '8192', 'limits.maxMeta is no limit'],
    ['maxMeta', Number.NaN, 'limits.maxMeta is no limit'],
  ])('%s of %s is refused', (name, value, reason) => {
    expect(() => readLimits({ ...stated, [name]: value })).toThrow(`[protocol] ${reason}`)
  })

  test('the least that is allowed is taken', () => {
    const least = { maxFrame: 16_384, maxMessage: 0, maxMeta: 0, maxCalls: 0, window: 131_072 }
    expect(readLimits({ ...least })).toEqual(least)
  })

  test('LIMITS may change few, and never maxFrame and window', () => {
    expect(readLimits({ maxCalls: 3 }, true)).toEqual({ maxCalls: 3 })
    expect(readLimits({ later: 3 }, true)).toEqual({})
    expect(() => readLimits({ window: 262_144 }, true)).toThrow('holds for the whole session')
    expect(() => readLimits({ maxFrame: 66_560 }, true)).toThrow('holds for the whole session')
  })
})

describe('method ids [case C24] [case C25]', () => {
  const chat = contract(
    'chat',
    {
      say: unary({ input: T.String() }),
      hear: serverStream({ output: T.String() }),
      一: unary({}),
    },
    { client: { ring: unary({}), alarm: unary({}) } },
  )
  const files = contract(
    'files',
    { put: unary({ input: Bytes() }), get: unary({ output: Bytes() }) },
    { client: { ping: unary({}) } },
  )
  const byName = (ids: ReadonlyMap<{ readonly name: string }, number>): Record<string, number> =>
    Object.fromEntries([...ids].map(([{ name }, id]) => [name, id]))
  const hashesOf = (one: AnyContract): (readonly [string, string])[] =>
    methodsOf(one).methods.map(({ name, method }) => [name, methodHash(method)] as const)

  test('run over the sorted names of all contracts, in the order of HELLO', () => {
    expect(byName(idsOfClient([chat, files]))).toEqual({ hear: 0, say: 1, 一: 2, get: 3, put: 4 })
    expect(byName(idsOfClient([files, chat]))).toEqual({ get: 0, put: 1, hear: 2, say: 3, 一: 4 })
  })

  test('of the client part are a space of their own', () => {
    expect(byName(idsOfServer([chat, files], () => true))).toEqual({ alarm: 0, ring: 1, ping: 2 })
  })

  test('where hashes differ the server calls by name, and the others keep counting', () => {
    expect(byName(idsOfServer([chat, files], (one) => one === files))).toEqual({
      alarm: ByName,
      ring: ByName,
      ping: 0,
    })
  })

  test('a method that the server has changed goes by name, one it has not by the server’s id', () => {
    const [hear, say] = hashesOf(chat)
    const theirs = { chat: [['added', 'aaaa'], hear!, ['say', 'bbbb']] as const }
    const ids = byName(idsOfClient([chat, files], theirs))
    expect(ids).toEqual({ hear: 1, say: ByName, 一: Unserved, get: 3, put: 4 })
    expect(byName(idsOfClient([chat, files], theirs, true))['say']).toBe(Changed)
    expect(say![0]).toBe('say')
  })

  test('a contract that is not served takes no ids', () => {
    expect(byName(idsOfClient([chat, files], { chat: [] }))).toEqual({
      hear: Unserved,
      say: Unserved,
      一: Unserved,
      get: 0,
      put: 1,
    })
  })

  test('a contract named as a property of every object is looked up as its own', () => {
    const odd = contract('constructor', { get: unary({}) })
    expect(byName(idsOfClient([odd], {}))).toEqual({ get: 0 })
  })

  test('the server says nothing of a contract with an equal hash', () => {
    const served = new Map<string, AnyContract>([['chat', chat]])
    expect(stampOf(chat)).toEqual(['chat', contractHash(chat)])
    expect(stampsFor([stampOf(chat)], served)).toEqual({})
    expect(
      stampsFor(
        [
          ['chat', '0'],
          ['other', '0'],
        ],
        served,
      ),
    ).toEqual({
      chat: hashesOf(chat),
      other: [],
    })
  })

  test('1,000 methods: both sides count the same', () => {
    const many = contract(
      'many',
      Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`m${n}`, unary({})])),
    )
    const ids = byName(idsOfClient([chat, many]))
    const sorted = methodsOf(many).methods.map(({ name }) => name)
    expect(sorted).toEqual(sorted.toSorted())
    sorted.forEach((name, index) => expect(ids[name]).toBe(3 + index))
  })
})

test('a connection map is one map, and nothing behind it', () => {
  const map = encodeValue({ reason: 'drain' })
  expect(decodeMap(map, 0, map.length, limits)).toEqual({ reason: 'drain' })
  for (const bytes of ['', 'c0', '90', '80 00', 'c1', '81 a1 61'])
    expect(() => decodeMap(hex(bytes), 0, hex(bytes).length, limits), `map ${bytes}`).toThrow(
      '[protocol] malformed map',
    )
  // Depth 65: over what any payload may have [case C128].
  const deep = hex(`81a161${'91'.repeat(64)}c0`)
  expect(() => decodeMap(deep, 0, deep.length, limits)).toThrow('[protocol] malformed map')
})
