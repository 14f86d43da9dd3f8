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
})
