import { describe, expect, test } from 'vitest'
import { CallTable, isAhead } from './table.ts'

const last = 2 ** 30 - 1

test('serial-number order goes on across the wrap', () => {
  expect(isAhead(3, 1)).toBe(true)
  expect(isAhead(1, 1)).toBe(false)
  expect(isAhead(1, 3)).toBe(false)
  expect(isAhead(1, last)).toBe(true)
  expect(isAhead(last, 1)).toBe(false)
})

test('the client gives odd ids, the server even ones, never 0', () => {
  const client = new CallTable<string>('client')
  expect([client.register('a'), client.register('b')]).toEqual([1, 3])
  const server = new CallTable<string>('server')
  expect([server.register('a'), server.register('b')]).toEqual([2, 4])
})

describe('a REQUEST of the peer', () => {
  test('must have an id of the peer, ahead of all before it', () => {
    const table = new CallTable<string>('server')
    table.receive(1)
    table.receive(7)
    for (const id of [0, 2, 7, 5, 2 ** 30 + 1])
      expect(() => table.receive(id)).toThrow('[protocol]')
    table.receive(9)
  })

  test('may wrap', () => {
    const table = new CallTable<string>('server')
    for (let id = 1; id < last; id += 2 ** 28) table.receive(id)
    table.receive(last)
    table.receive(1)
    expect(() => table.receive(last)).toThrow('[protocol]')
  })
})

test('100 calls cross the wrap while three long ones stay open: their ids are skipped [case C125]', () => {
  const client = new CallTable<string>('client')
  const server = new CallTable<string>('server')
  const begin = (what: string): number => {
    const id = client.register(what)
    server.receive(id)
    server.open(id, what)
    return id
  }
  const long = ['a', 'b', 'c'].map(begin)
  expect(long).toEqual([1, 3, 5])
  // Half of the range at a time, as half a billion calls would.
  for (const id of [2 ** 29 - 1, 2 ** 30 - 5]) jump(client, id)
  server.receive(2 ** 29 - 1)
  const ids = Array.from({ length: 100 }, (_, n) => {
    const id = begin(`${n}`)
    expect([client.find(id, 64), server.find(id, 64)]).toEqual([`${n}`, `${n}`])
    client.close(id, 0)
    server.close(id, 0)
    return id
  })
  expect(ids.slice(0, 6)).toEqual([2 ** 30 - 5, 2 ** 30 - 3, last, 7, 9, 11])
  expect(ids.at(-1)).toBe(7 + 2 * 96)
  expect(long.map((id) => [client.find(id, 64), server.find(id, 64)])).toEqual([
    ['a', 'a'],
    ['b', 'b'],
    ['c', 'c'],
  ])
  expect([client.size, server.size]).toEqual([3, 3])
})

test('the ids of a server wrap from 2^30 - 2 to 2 [case C125]', () => {
  const server = new CallTable<string>('server')
  server.register('long')
  jump(server, 2 ** 30 - 2)
  expect([server.register('x'), server.register('y')]).toEqual([2 ** 30 - 2, 4])
})

/** The next id of a table, without the calls in between. */
function jump(table: CallTable<string>, id: number): void {
  Object.assign(table, { nextId: id })
}

describe('a frame for a call that is not there', () => {
  test('is a broken rule if the id was never opened', () => {
    const table = new CallTable<string>('client')
    table.register('a')
    for (const id of [0, 2, 3, 2 ** 30 + 1]) expect(() => table.find(id, 64)).toThrow('[protocol]')
    expect(table.find(1, 64)).toBe('a')
  })

  test('is late otherwise, and charged to what was granted', () => {
    const table = new CallTable<string>('client')
    const id = table.register('a')
    expect(table.close(id, 200)).toBe(true)
    expect(table.close(id, 200)).toBe(false)
    for (let frame = 0; frame < 3; frame += 1) expect(table.find(id, 64)).toBeUndefined()
    expect(() => table.find(id, 64)).toThrow('[flow_control]')
    table.allowLate(1_000)
    expect(table.find(id, 64)).toBeUndefined()
  })

  test('END and CREDIT may come late though the peer has used up its credit', () => {
    const table = new CallTable<string>('client')
    const id = table.register('a')
    table.close(id, 0)
    for (let frame = 0; frame < 16; frame += 1) expect(table.find(id, 0)).toBeUndefined()
    expect(() => table.find(id, 0)).toThrow('[flow_control]')
  })
})
