import { beforeEach, describe, expect, test } from 'vitest'
import { Timers } from '../base/timers.ts'
import { VirtualClock } from '@callbox/testing'
import { Ledger } from '../session/ledger.ts'
import { Memory } from '../session/memory.ts'
import { ReceiveBudget } from './budget.ts'
import { ReceiveWindow, SendCredit, type WindowTerms } from './credit.ts'

const KiB = 1024
const window = 256 * KiB
const budgetBytes = 1024 * KiB

class Owner {
  readonly grants: number[] = []
  waitedFor = false
  grant(bytes: number): void {
    this.grants.push(bytes)
  }
  get sum(): number {
    return this.grants.reduce((sum, bytes) => sum + bytes, 0)
  }
}

let ledger: Ledger
let memory: Memory
let budget: ReceiveBudget
let terms: WindowTerms

beforeEach(() => {
  const clock = new VirtualClock()
  memory = new Memory(clock, new Timers(clock), 256 * KiB * KiB, { bytes: 0 })
  ledger = new Ledger(memory)
  budget = new ReceiveBudget(budgetBytes, memory)
  terms = { window, budget, ledger }
})

describe('send credit', () => {
  test('covers what was granted and no more', () => {
    const credit = new SendCredit(100)
    expect(credit.covers(100)).toBe(true)
    expect(credit.covers(101)).toBe(false)
    credit.spend(100)
    expect(credit.covers(1)).toBe(false)
    expect(credit.grant(1)).toBe(true)
    expect(credit.covers(1)).toBe(true)
  })

  test('nothing, and more than 2^31 - 1 in all, are violations [case C79] [threat S2]', () => {
    const credit = new SendCredit(window)
    expect(credit.grant(0)).toBe(false)
    expect(credit.grant(2 ** 31 - 1 - window)).toBe(true)
    expect(credit.grant(1)).toBe(false)
    expect(credit.available).toBe(2 ** 31 - 1)
  })
})

describe('a receive window', () => {
  test('refuses what was not promised [case C80] [threat S1]', () => {
    const receive = new ReceiveWindow(terms, new Owner())
    expect(receive.receive(window)).toBe(true)
    expect(receive.receive(1)).toBe(false)
    expect(ledger.buffered).toBe(window)
  })

  test('grants when a quarter is owed, never less', () => {
    const owner = new Owner()
    const receive = new ReceiveWindow(terms, owner)
    receive.receive(window)
    receive.take(window / 4 - 1)
    expect(owner.grants).toEqual([])
    receive.take(1)
    expect(owner.grants).toEqual([window / 4])
    expect(receive.unused).toBe(window / 4)
  })

  test('a message beyond the window comes out of the budget, and goes back when it is taken', () => {
    const owner = new Owner()
    const receive = new ReceiveWindow(terms, owner)
    receive.beginMessage()
    let cost = 0
    for (let fragment = 0; fragment < 8; fragment += 1) {
      expect(receive.receive(64 * KiB)).toBe(true)
      receive.advance(64 * KiB)
      cost += 64 * KiB
    }
    // What has arrived and nobody has taken is held beyond the window that is still promised.
    expect(receive.unused).toBe(window)
    expect(budget.reserved).toBe(512 * KiB)
    receive.endMessage()
    receive.take(cost, cost)
    expect(budget.reserved).toBe(0)
    expect(ledger.bytes).toBe(0)
  })

  test('a smaller size withholds grants and takes nothing back', () => {
    const owner = new Owner()
    const receive = new ReceiveWindow(terms, owner)
    receive.resize(128 * KiB)
    receive.receive(128 * KiB)
    receive.take(128 * KiB)
    expect(owner.grants).toEqual([])
    expect(receive.unused).toBe(128 * KiB)
    receive.receive(32 * KiB)
    receive.take(32 * KiB)
    expect(owner.grants).toEqual([32 * KiB])
  })

  test('after the end of the peer nothing is granted, and what waits is still counted', () => {
    const owner = new Owner()
    const receive = new ReceiveWindow(terms, owner)
    receive.receive(window)
    receive.stop()
    receive.take(window / 2)
    expect(owner.grants).toEqual([])
    expect(ledger.buffered).toBe(window / 2)
    receive.close()
    expect(ledger.bytes).toBe(0)
  })

  test('a closed one owes nothing to anybody', () => {
    const receive = new ReceiveWindow(terms, new Owner())
    receive.beginMessage()
    receive.receive(200 * KiB)
    receive.advance(200 * KiB)
    receive.close()
    receive.close()
    expect([ledger.bytes, budget.reserved, budget.length]).toEqual([0, 0, 0])
  })
})

describe('the budget', () => {
  /** Half a message that is larger than what is left of the budget. */
  function halfMessage(owner: Owner, bytes: number): ReceiveWindow {
    const receive = new ReceiveWindow(terms, owner)
    receive.beginMessage()
    let left = bytes
    while (left > 0 && receive.receive(Math.min(left, 64 * KiB))) {
      receive.advance(Math.min(left, 64 * KiB))
      left -= 64 * KiB
    }
    return receive
  }

  test('used up: grants beyond the initial window wait, those within it never', () => {
    const first = new Owner()
    halfMessage(first, 1024 * KiB)
    expect(budget.reserved).toBe(budgetBytes)
    const late = new Owner()
    const waiting = halfMessage(late, 1024 * KiB)
    expect(late.sum).toBe(0)
    expect(budget.length).toBe(1)
    const small = new Owner()
    const receive = new ReceiveWindow(terms, small)
    receive.receive(window)
    receive.take(window)
    expect(small.sum).toBe(window)
    waiting.close()
    expect(budget.length).toBe(0)
  })

  test('the oldest message that somebody waits for goes on all the same', () => {
    halfMessage(new Owner(), 1024 * KiB)
    const [older, younger] = [new Owner(), new Owner()]
    const olderWindow = halfMessage(older, 1024 * KiB)
    halfMessage(younger, 1024 * KiB)
    expect([older.sum, younger.sum]).toEqual([0, 0])
    // Nobody waits for the older one: the younger goes first.
    younger.waitedFor = true
    budget.favorOldest()
    expect(older.sum).toBe(0)
    expect(younger.sum).toBe(window)
    // One at a time.
    older.waitedFor = true
    budget.favorOldest()
    expect(older.sum).toBe(0)
    younger.waitedFor = false
    budget.favorOldest()
    expect(older.sum).toBe(window)
    olderWindow.endMessage()
  })

  test('what is given back goes to those that wait, in order', () => {
    const holder = halfMessage(new Owner(), 1024 * KiB)
    const owners = [new Owner(), new Owner()]
    for (const owner of owners) halfMessage(owner, 512 * KiB)
    expect(owners.map(({ sum }) => sum)).toEqual([0, 0])
    holder.close()
    expect(owners.map(({ sum }) => sum)).toEqual([window, window])
    expect(budget.reserved).toBe(2 * window)
  })

  test('that of the process counts as well', () => {
    const clock = new VirtualClock()
    const tight = new Memory(clock, new Timers(clock), 128 * KiB, { bytes: 0 })
    const owner = new Owner()
    const poor = { window, ledger, budget: new ReceiveBudget(budgetBytes, tight) }
    const receive = new ReceiveWindow(poor, owner)
    receive.beginMessage()
    for (let fragment = 0; fragment < 4; fragment += 1) {
      receive.receive(64 * KiB)
      receive.advance(64 * KiB)
    }
    expect(owner.sum).toBe(128 * KiB)
    expect(poor.budget.length).toBe(1)
  })
})
