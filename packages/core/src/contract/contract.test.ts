import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { contract, isContract, methodsOf } from './contract.ts'
import { event, serverStream, unary } from './kinds.ts'

const one = unary({})
const two = unary({ output: T.String() })

describe('a contract is a plain frozen value', () => {
  const lobby = contract('lobby', { create: one }, { client: { confirm: two } })

  test('with its methods as properties and the other direction under client', () => {
    expect(lobby.create).toBe(one)
    expect(lobby.client.confirm).toBe(two)
    expect(Object.keys(lobby)).toEqual(['create', 'client'])
  })

  test('that knows its name and its parts', () => {
    expect(lobby['~contract']).toEqual({
      name: 'lobby',
      methods: { create: one },
      client: { confirm: two },
    })
  })

  test('frozen, with its groups', () => {
    const grouped = contract('lobby', { rooms: { list: one } })
    const parts = [lobby, lobby.client, lobby['~contract'], grouped.rooms]
    expect(parts.map((part) => Object.isFrozen(part))).toEqual([true, true, true, true])
  })

  test('independent of the object it was made from', () => {
    const methods = { create: one }
    const made = contract('lobby', methods)
    Object.assign(methods, { late: two })
    expect(Object.keys(made)).toEqual(['create', 'client'])
    expect(methodsOf(made).methods).toHaveLength(1)
  })

  test('without a client part, `client` is empty', () => {
    const made = contract('lobby', { create: one })
    expect(made.client).toEqual({})
    expect(methodsOf(made).client).toEqual([])
  })

  test('is told from anything else', () => {
    expect(isContract(lobby)).toBe(true)
    expect([undefined, null, 5, {}, lobby.create].some((value) => isContract(value))).toBe(false)
  })
})

describe('methodsOf', () => {
  const names = (value: Parameters<typeof methodsOf>[0]): string[] =>
    methodsOf(value).methods.map(({ name }) => name)

  test('sorts by UTF-16 code units, not by locale and not by code point', () => {
    const methods = {
      'b': one,
      'B': one,
      'a1': one,
      'a': one,
      'ä': one,
      '\u{1F600}': one,
      '\uFF5E': one,
    }
    expect(names(contract('s', methods))).toEqual(['B', 'a', 'a1', 'b', 'ä', '\u{1F600}', '\uFF5E'])
  })

  test('gives groups dotted names, sorted with all others', () => {
    const made = contract('s', { 'rooms': { list: one, admin: { kick: two } }, 'rooms-x': one })
    expect(names(made)).toEqual(['rooms-x', 'rooms.admin.kick', 'rooms.list'])
    expect(methodsOf(made).methods[1]?.method).toBe(two)
  })

  test('a group with the empty name is a method itself', () => {
    const made = contract('s', { rooms: { '': one, 'publish': two } })
    expect(names(made)).toEqual(['rooms', 'rooms.publish'])
    expect(made.rooms[''].kind).toBe('unary')
  })

  test('lists the other direction on its own', () => {
    const client = { b: event(), a: one }
    expect(methodsOf(contract('s', {}, { client })).client.map(({ name }) => name)).toEqual([
      'a',
      'b',
    ])
  })

  test('1,000 methods keep the order of their names [case C24]', () => {
    const list = Array.from({ length: 1_000 }, (_, index) => `m${index}`)
    const made = contract('s', Object.fromEntries(list.map((name) => [name, one])))
    expect(names(made)).toEqual([...list].sort())
  })

  test('is computed once, and reads a contract of another installed copy', () => {
    const made = contract('s', { b: one, a: two })
    expect(methodsOf(made)).toBe(methodsOf(made))
    const foreign = { '~contract': made['~contract'] }
    expect(methodsOf(foreign)).toEqual(methodsOf(made))
    expect(methodsOf(foreign)).toBe(methodsOf(foreign))
  })
})

describe('names that are refused', () => {
  const named = (name: string) => ({ [name]: one }) as never

  test.each([
    ['client', 'the methods that the server calls are there'],
    ['then', 'a group with then would look like a promise'],
    ['toJSON', 'JSON.stringify would call it'],
    ['constructor', 'every object has it'],
    ['toString', 'every object has it'],
    ['hasOwnProperty', 'every object has it'],
    ['prototype', 'every object has it'],
  ])('%s', (name, why) => {
    const text = `'${name}' is reserved: ${why}`
    expect(() => contract('s', named(name))).toThrow(`contract: 's.${name}': ${text}`)
    expect(() => contract('s', { group: named(name) })).toThrow(text)
    expect(() => contract('s', {}, { client: named(name) })).toThrow(text)
  })

  test('__proto__, however it got there', () => {
    const methods = JSON.parse('{"__proto__": {}}') as never
    expect(() => contract('s', methods)).toThrow("'__proto__' is reserved")
  })

  test.each(['a.b', 'a\n', '\u0000', '\uD800'])('%j', (name) => {
    expect(() => contract('s', named(name))).toThrow('no dots and no control characters')
    expect(() => contract(name, {})).toThrow('without dots and control characters')
  })

  test('an empty one, but for a group that is a method', () => {
    const text = 'has the empty name, which stands for a group itself'
    expect(() => contract('', {})).toThrow(TypeError)
    expect(() => contract('s', named(''))).toThrow(`'s' ${text}`)
    expect(() => contract('s', { rooms: { '': { list: one } } })).toThrow(`'s.rooms' ${text}`)
  })

  test('128 bytes of service.method are taken, 129 are not', () => {
    expect(methodsOf(contract('s', named('m'.repeat(126)))).methods).toHaveLength(1)
    expect(() => contract('s', named('m'.repeat(127)))).toThrow('is over 128 bytes')
    // 2 + 42 * 3 bytes, though only 44 characters.
    expect(methodsOf(contract('s', named('\u20AC'.repeat(42)))).methods).toHaveLength(1)
    expect(() => contract('s', named(`${'\u20AC'.repeat(42)}m`))).toThrow('is over 128 bytes')
    expect(() => contract('s', { g: named('m'.repeat(125)) })).toThrow('is over 128 bytes')
    expect(() => contract('s'.repeat(129), {})).toThrow('the name is over 128 bytes')
  })
})

describe('entries and schemas that are refused', () => {
  test.each([undefined, null, 5, 'a', () => one])('entry %s', (entry) => {
    expect(() => contract('s', { list: entry } as never)).toThrow(
      "contract: 's.list' is neither a method nor a group of methods",
    )
  })

  const dated = T.Codec(T.String())
    .Decode((text) => new Date(text))
    .Encode((date) => date.toISOString())

  test('T.Codec, wherever it stands', () => {
    const text = 'T.Codec does not travel'
    expect(() => contract('s', { a: unary({ input: dated }) })).toThrow(`'s.a', input: ${text}`)
    const deep = T.Object({ list: T.Array(T.Union([T.Null(), T.Object({ at: dated })])) })
    expect(() => contract('s', { a: { b: unary({ output: deep }) } })).toThrow(
      `'s.a.b', output: ${text}`,
    )
    expect(() => contract('s', { a: unary({ errors: { Full: dated } }) })).toThrow(
      `'s.a', errors.Full: ${text}`,
    )
    const resumable = serverStream({ output: T.Null(), resumable: dated })
    expect(() => contract('s', {}, { client: { a: resumable } })).toThrow(`cursor: ${text}`)
  })

  test('T.This', () => {
    const tree = T.Object({ children: T.Array(T.This()) })
    expect(() => contract('s', { a: unary({ input: tree }) })).toThrow(
      "'s.a', input: T.This cannot be checked on its own: use T.Cyclic",
    )
  })

  test('T.Cyclic is taken', () => {
    const tree = T.Cyclic({ Node: T.Object({ next: T.Optional(T.Ref('Node')) }) }, 'Node')
    expect(methodsOf(contract('s', { a: unary({ input: tree }) })).methods).toHaveLength(1)
  })

  test('a schema that many methods share is looked at once a method', () => {
    let reads = 0
    const shared = {
      get anyOf() {
        reads += 1
        return []
      },
    }
    const twice = T.Unsafe({ items: [shared, shared, shared] })
    contract('s', { a: unary({ input: twice, output: twice }) })
    expect(reads).toBe(1)
  })
})
