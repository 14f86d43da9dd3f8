import { expect, test } from 'vitest'
import { resolveLimits } from '../base/limits.ts'
import { Timers } from '../base/timers.ts'
import { VirtualClock } from '@callbox/testing'
import { Ledger } from '../session/ledger.ts'
import { Memory } from '../session/memory.ts'
import { ReceiveBudget } from './budget.ts'
import { ReceiveWindow } from './credit.ts'
import { StreamReader } from './reader.ts'

test('an item that waits is a copy, also of a Buffer, whose slice would be a view', async () => {
  const limits = resolveLimits()
  const reader = new StreamReader<string>(
    {
      decode: (bytes, start, end) => {
        // A view would keep the whole chunk of the socket alive for one small item.
        expect(bytes.buffer.byteLength).toBe(4)
        return Buffer.from(bytes.subarray(start, end)).toString('hex')
      },
      nodes: () => 1,
      cancel: () => undefined,
      refuse: () => expect.unreachable('the item decodes'),
    },
    limits,
  )
  const clock = new VirtualClock()
  const memory = new Memory(clock, new Timers(clock), limits.processBudget, { bytes: 0 })
  const ledger = new Ledger(memory)
  const budget = new ReceiveBudget(limits.receiveBudget, memory)
  const terms = { window: limits.window, budget, ledger }
  const owner = { grant: () => undefined, waitedFor: false }
  reader.attach(new ReceiveWindow(terms, owner), ledger)
  const chunk = Buffer.alloc(65_536, 0xaa)
  const fields = { total: -1, payloadStart: 100, metaStart: 100, metaEnd: 100 }
  expect(reader.receive(chunk, 0, fields as never, 104)).toBe('ok')
  chunk.fill(0)
  const item = await reader[Symbol.asyncIterator]().next()
  expect(item).toEqual({ done: false, value: 'aaaaaaaa' })
})
