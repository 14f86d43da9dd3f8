// The inner service: counts what is on the shelves.
//   in  -> reservations, over TCP
//   out -> what is left, or `OutOfStock`
// Anvils take as long as their caller allows: they show how a deadline and a cancel arrive here.

import { once } from 'node:events'
import { createServer, implement, type Server } from '@callbox/server'
import { stock } from './contracts.ts'

/** `say` gets a line for each thing worth showing. */
export function createStock(say: (line: string) => void): Server {
  const shelves = new Map([
    ['brush', 5],
    ['anvil', 1],
  ])
  const service = implement(stock, {
    reserve: async ({ item, count }, call) => {
      say(`stock: ${count} x ${item}, ${describe(call.deadline)}`)
      if (item === 'anvil') await untilCancelled(call.signal, say)
      const left = shelves.get(item) ?? 0
      if (left < count) throw call.errors.OutOfStock({ left })
      shelves.set(item, left - count)
      return { left: left - count }
    },
  })
  return createServer({ services: [service], limits: 'internal' })
}

/** Work that ends only when nobody waits for it any more. */
async function untilCancelled(signal: AbortSignal, say: (line: string) => void): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
  say('stock: cancelled, the anvil stays')
  signal.throwIfAborted()
}

function describe(deadline: number | undefined): string {
  return deadline === undefined ? 'no deadline' : `${Math.round(deadline)} ms left`
}
