import { beforeEach, expect, test } from 'vitest'
import { Parked, ParkedTotal, type ParkedMember } from './parked.ts'

let total: ParkedTotal
let parked: Parked
let evicted: string[]

class Member implements ParkedMember {
  parkedBytes: number
  readonly name: string

  constructor(name: string, parkedBytes: number) {
    this.name = name
    this.parkedBytes = parkedBytes
  }
  evict(): void {
    evicted.push(this.name)
    // As a session does: it has been removed already.
    parked.remove(this)
  }
}

beforeEach(() => {
  total = new ParkedTotal()
  parked = new Parked(1_000, total)
  evicted = []
})

test('what is counted is what members hold, as they said last', () => {
  const [a, b] = [new Member('a', 300), new Member('b', 200)]
  parked.count(a)
  parked.count(b)
  expect([parked.length, parked.bytes]).toEqual([2, 500])
  a.parkedBytes = 100
  parked.count(a)
  expect(parked.bytes).toBe(300)
  parked.remove(a)
  parked.remove(a)
  expect([parked.length, parked.bytes]).toEqual([1, 200])
})

test('up to the limit all stay; over it the largest goes, whoever comes last', () => {
  for (const [name, bytes] of [
    ['small', 100],
    ['large', 600],
    ['middle', 300],
  ] as const)
    parked.count(new Member(name, bytes))
  expect(evicted).toEqual([])
  parked.count(new Member('late', 1))
  expect(evicted).toEqual(['large'])
  expect([parked.length, parked.bytes]).toEqual([3, 401])
})

test('of equals the oldest goes', () => {
  for (const name of ['first', 'second', 'third']) parked.count(new Member(name, 400))
  expect(evicted).toEqual(['first'])
})

test('as many go as it takes; one that is over the limit alone goes itself', () => {
  for (const name of ['a', 'b', 'c']) parked.count(new Member(name, 300))
  parked.count(new Member('giant', 1_001))
  expect(evicted).toEqual(['giant'])
  parked.count(new Member('big', 900))
  expect(evicted).toEqual(['giant', 'big'])
  expect(parked.bytes).toBe(900)
})

test('one that grows while it waits may cost itself', () => {
  const [a, b] = [new Member('a', 400), new Member('b', 400)]
  parked.count(a)
  parked.count(b)
  b.parkedBytes = 700
  parked.count(b)
  expect(evicted).toEqual(['b'])
})

test('a hoard of one peer does not cost a small session its place [threat R5]', () => {
  parked.count(new Member('honest', 1))
  for (let n = 0; n < 500; n += 1) parked.count(new Member(`hoard ${n}`, 250))
  expect(evicted).not.toContain('honest')
  expect(parked.bytes).toBeLessThanOrEqual(1_000)
})

test('clients and servers of one process share what they hold', () => {
  const other = new Parked(1_000, total)
  other.count(new Member('a', 600))
  parked.count(new Member('b', 500))
  expect(evicted).toEqual(['a'])
  expect([other.length, other.bytes]).toEqual([1, 500])
})
