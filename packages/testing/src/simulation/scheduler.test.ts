import { expect, test } from 'vitest'
import { Host } from './host.ts'
import { Random } from './random.ts'
import { EventKind, Scheduler } from './scheduler.ts'

test('events come in the order of time, those of one moment in the order in which they were made', async () => {
  const scheduler = new Scheduler()
  const seen: string[] = []
  const at = (ms: number, name: string): void =>
    void scheduler.at(ms * 1_000, EventKind.Work, () => seen.push(`${name} ${scheduler.nowMs}`))
  at(5, 'a')
  at(1, 'b')
  at(5, 'c')
  at(9, 'later')
  await scheduler.run(5)
  expect(seen).toEqual(['b 1', 'a 5', 'c 5'])
  expect(scheduler.nowMs).toBe(5)
})

test('a thousand events of random times come in order', async () => {
  const scheduler = new Scheduler()
  const random = new Random(7)
  const seen: number[] = []
  for (let n = 0; n < 1_000; n += 1)
    scheduler.at(random.integer(0, 500), EventKind.Work, () => seen.push(scheduler.nowUs))
  await scheduler.run(1)
  expect(seen.length).toBe(1_000)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

test('promises settle before the next event, however long their chain is', async () => {
  const scheduler = new Scheduler()
  const seen: string[] = []
  const long = async (): Promise<void> => {
    for (let n = 0; n < 100; n += 1) await Promise.resolve()
    seen.push('settled')
  }
  scheduler.at(0, EventKind.Work, () => {
    scheduler.enter()
    scheduler.endOfTurn(() => seen.push('end of turn'))
    void long()
  })
  scheduler.at(0, EventKind.Work, () => seen.push('next'))
  await scheduler.run(1)
  expect(seen).toEqual(['settled', 'end of turn', 'next'])
})

test('the hash tells runs apart by when and what', async () => {
  const hashOf = async (ms: number, kind: number): Promise<string> => {
    const scheduler = new Scheduler()
    scheduler.at(ms * 1_000, kind, () => undefined)
    await scheduler.run(10)
    return scheduler.eventHash
  }
  const hashes = [await hashOf(1, 1), await hashOf(2, 1), await hashOf(1, 2), await hashOf(1, 1)]
  expect(hashes[0]).toBe(hashes[3])
  expect(new Set(hashes).size).toBe(3)
})

test('timers of a frozen host come late, then all at once; those of a crashed one never', async () => {
  const scheduler = new Scheduler()
  const host = new Host(scheduler, 'host', 1, new Random(1))
  const seen: string[] = []
  for (const ms of [10, 20, 400])
    host.clock.setTimer(() => seen.push(`${ms} at ${scheduler.nowMs}`), ms)
  host.freeze(300)
  await scheduler.run(350)
  expect(seen).toEqual(['10 at 300', '20 at 300'])
  expect(host.frozenMs).toBe(300)
  host.crash()
  await scheduler.run(1_000)
  expect(seen.length).toBe(2)
  expect(host.pendingTimers).toBe(0)
})
