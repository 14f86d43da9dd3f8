import { expect, test } from 'vitest'
import { hearHints } from './hints.ts'

class Target {
  readonly listeners = new Map<string, Set<() => void>>()

  addEventListener(type: string, listener: () => void): void {
    const set = this.listeners.get(type) ?? new Set()
    this.listeners.set(type, set.add(listener))
  }
  removeEventListener(type: string, listener: () => void): void {
    this.listeners.get(type)?.delete(listener)
  }
  fire(type: string): void {
    for (const listener of this.listeners.get(type) ?? []) listener()
  }
  get length(): number {
    return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0)
  }
}

class Page extends Target {
  visibilityState = 'hidden'
}

function setUp() {
  const page = new Page()
  const window = Object.assign(new Target(), { document: page })
  let hints = 0
  const stop = hearHints(window, () => (hints += 1))
  return { page, window, stop, hints: () => hints }
}

test('the network is back, the page is shown again: a hint each', () => {
  const { window, hints } = setUp()
  window.fire('online')
  window.fire('pageshow')
  expect(hints()).toBe(2)
  window.fire('offline')
  expect(hints()).toBe(2)
})

test('a page that becomes visible is one, a page that is hidden is none', () => {
  const { page, hints } = setUp()
  page.fire('visibilitychange')
  expect(hints()).toBe(0)
  page.visibilityState = 'visible'
  page.fire('visibilitychange')
  expect(hints()).toBe(1)
})

test('afterwards nobody listens', () => {
  const { page, window, stop, hints } = setUp()
  stop()
  expect([page.length, window.length]).toEqual([0, 0])
  window.fire('online')
  expect(hints()).toBe(0)
})

test('where there is no page, as in Node or a worker, nothing is listened to', () => {
  const worker = new Target()
  hearHints(worker, () => undefined)()
  hearHints({}, () => undefined)()
  expect(worker.length).toBe(0)
})
