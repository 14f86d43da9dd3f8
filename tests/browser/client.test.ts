// The browser build of the client, in a browser: every kind of call, both directions.

import { createClient, isError, RpcError, safe } from '@callbox/client'
import { ws } from '@callbox/transport-ws'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { probe } from './contract.ts'

const makeClient = () => createClient({ probe }, ws(inject('probeUrl')))
let client: ReturnType<typeof makeClient>
let serial = 0
const newId = (): string => `${performance.timeOrigin}-${(serial += 1)}`

beforeEach(() => {
  client = makeClient()
})
afterEach(() => client.close())

test('the transport is the native WebSocket', () => {
  expect(typeof window).toBe('object')
  expect(ws('/rpc').target).toBe(`ws://${location.host}/rpc`)
})

test('[case C29] unary: text, bytes and timestamps come back as they went', async () => {
  const sent = { text: 'hé ☺', bytes: Uint8Array.of(0, 1, 255), at: new Date(1_234_567_890_123) }
  const got = await client.probe.echo(sent)
  expect(got).toEqual(sent)
  expect(got.bytes.buffer.byteLength).toBe(3)
})

test('[case C30] unary of 271,828 bytes: fragments both ways', async () => {
  const bytes = new Uint8Array(271_828).map((_, index) => index * 7)
  expect(await client.probe.large(bytes)).toEqual(bytes)
})

test('[case C33] server stream in order; [case C34] without items', async () => {
  const items: number[] = []
  for await (const n of client.probe.count({ to: 100 })) items.push(n)
  expect(items).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
  for await (const n of client.probe.count({ to: 0 })) expect(n).toBeUndefined()
})

test('[case C31] client stream', async () => {
  async function* numbers(): AsyncGenerator<number> {
    for (let n = 1; n <= 50; n += 1) yield n
  }
  expect(await client.probe.sum(numbers())).toBe(1_275)
})

test('[case C35] bidi in lock step', async () => {
  const match = client.probe.shout()
  for (let round = 0; round < 100; round += 1) {
    await match.send(`round ${round}`)
    expect(await match.next()).toEqual({ done: false, value: `ROUND ${round}` })
  }
  match.end()
  expect((await match.next()).done).toBe(true)
})

test('[case C41] events arrive in order', async () => {
  for (let n = 0; n < 100; n += 1) void client.probe.note(`${n}`)
  expect(await client.probe.notes()).toEqual(Array.from({ length: 100 }, (_, n) => `${n}`))
})

test('[case C52] a declared error is typed, [case C53] an unknown one has an id and no text', async () => {
  const [declared] = await safe(client.probe.fail('declared'))
  expect(isError(declared, probe.fail, 'Busy') && declared.data.seats).toBe(3)
  const [unknown] = await safe(client.probe.fail('otherwise'))
  expect(unknown).toBeInstanceOf(RpcError)
  expect(unknown?.code).toBe('internal')
  expect(unknown?.id).toMatch(/^[0-9a-f]{16}$/)
  expect(JSON.stringify(unknown)).not.toContain('secret')
})

test('[case C66] cancel after begin: the handler is told', async () => {
  const id = newId()
  const controller = new AbortController()
  const call = safe(client.probe.sleep({ id }, { signal: controller.signal }))
  // Answered behind it, so the handler has begun.
  await client.probe.cancelled({ id })
  controller.abort()
  const [error] = await call
  expect(error).toMatchObject({ code: 'cancelled', processed: 'unknown' })
  await expect.poll(() => client.probe.cancelled({ id })).toBe(true)
})

test('[case C68] break ends the generator', async () => {
  const id = newId()
  for await (const item of client.probe.flood({ id })) {
    expect(item.length).toBe(98)
    break
  }
  await expect.poll(() => client.probe.cancelled({ id })).toBe(true)
})

test('[case C40] the server calls the page', async () => {
  const told: string[] = []
  client.handle(probe, {
    ask: (question) => `${question}? fine`,
    tell: (text) => void told.push(text),
    pieces: async function* (count) {
      for (let n = 0; n < count; n += 1) yield `piece ${n}`
    },
  })
  expect(await client.probe.callBack()).toBe('how are you? fine, piece 0,piece 1,piece 2')
  expect(told).toEqual(['a word'])
})

/** The list says 60 s; what grows shows in a sixth of it. */
const slowReaderMs = 10_000

/** Bytes in use after a forced collection; the flags that give both are set in vitest.config.ts. */
function usedBytes(): number {
  const { gc, performance: timing } = globalThis as unknown as {
    gc: () => void
    performance: { memory: { usedJSHeapSize: number } }
  }
  gc()
  return timing.memory.usedJSHeapSize
}

test('a paused reader: the generator stands at most 1,599 items ahead, and stays there', async () => {
  const id = newId()
  await client.probe.given({ id })
  const before = usedBytes()
  const items = client.probe.flood({ id })
  for (let n = 0; n < 10; n += 1) await items.next()
  // The first window has come when the number stands still.
  await expect.poll(() => client.probe.given({ id })).toBeGreaterThan(1_000)
  let last = -1
  await expect
    .poll(async () => {
      const previous = last
      last = await client.probe.given({ id })
      return last === previous
    })
    .toBe(true)
  expect(last).toBeLessThanOrEqual(10 + 1_599)
  const channel = new MessageChannel()
  for (let turn = 0; turn < 2_000; turn += 1)
    await new Promise((resolve) => {
      channel.port1.onmessage = resolve
      channel.port2.postMessage(turn)
    })
  channel.port1.close()
  expect(await client.probe.given({ id })).toBe(last)
  expect(usedBytes() - before).toBeLessThan(2 * 1024 * 1024)
  items.cancel()
})

test('a slow reader of a fast stream: the heap grows by less than 4 MiB [case C83]', async () => {
  const id = newId()
  const items = client.probe.flood({ id })
  for (let n = 0; n < 100; n += 1) await items.next()
  const before = usedBytes()
  let most = 0
  let read = 100
  const until = performance.now() + slowReaderMs
  while (performance.now() < until) {
    for (let n = 0; n < 20; n += 1, read += 1) await items.next()
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (read % 1_000 === 0) most = Math.max(most, usedBytes() - before)
  }
  const given = await client.probe.given({ id })
  // The reader holds at most the window, however long it is slow.
  expect(given - read).toBeLessThanOrEqual(1_599)
  expect(read).toBeGreaterThan(200)
  expect(Math.max(most, usedBytes() - before)).toBeLessThan(4 * 1024 * 1024)
  items.cancel()
})

test('close settles, and what is called afterwards fails at once', async () => {
  await client.probe.notes()
  await client.close()
  await client.close()
  const [error] = await safe(client.probe.notes())
  expect(error).toMatchObject({ code: 'cancelled', processed: 'no' })
})
