import { expect, test } from 'vitest'
import { Changes } from './changes.ts'

test('a watcher turns at once, then after each change', async () => {
  const changes = new Changes()
  const turns = changes.watch(new AbortController().signal)
  expect(await turns.next()).toEqual({ done: false, value: undefined })
  const second = turns.next()
  expect(changes.watchers).toBe(1)
  changes.announce()
  expect((await second).done).toBe(false)
  await turns.return()
})

test('a watcher that was busy gets one turn for all that it missed', async () => {
  const changes = new Changes()
  const turns = changes.watch(new AbortController().signal)
  await turns.next()
  for (let i = 0; i < 100; i++) changes.announce()
  expect((await turns.next()).done).toBe(false)
  let more = false
  const next = turns.next().then(() => (more = true))
  await Promise.resolve()
  expect(more).toBe(false)
  changes.announce()
  await next
  await turns.return()
})

test('the signal ends a waiting watcher and leaves nothing behind', async () => {
  const changes = new Changes()
  const over = new AbortController()
  const turns = changes.watch(over.signal)
  await turns.next()
  const waiting = turns.next()
  over.abort()
  expect((await waiting).done).toBe(true)
  expect(changes.watchers).toBe(0)
  expect((await changes.watch(over.signal).next()).done).toBe(true)
})
