// The outer service: takes orders and asks stock, over TCP.
//   in  -> orders, over TCP, and a client of stock
//   out -> an order number, or `NotAvailable`
// It passes no deadline and no signal on: a call made inside a handler has those of the handler.

import { setTimeout as pause } from 'node:timers/promises'
import { type Client, isError } from '@callbox/client'
import { createServer, implement, type Server } from '@callbox/server'
import { orders, stock } from './contracts.ts'

/** What checking the customer takes, in milliseconds. */
const checkMs = 50

/** `say` gets a line for each thing worth showing. */
export function createOrders(
  client: Client<{ stock: typeof stock }>,
  say: (line: string) => void,
): Server {
  let placed = 0
  const service = implement(orders, {
    place: async (line, call) => {
      say(`orders: ${line.count} x ${line.item}, ${Math.round(call.deadline ?? 0)} ms left`)
      await pause(checkMs)
      try {
        const { left } = await client.stock.reserve(line)
        return { orderId: `order-${++placed}`, left }
      } catch (error) {
        if (isError(error, stock.reserve, 'OutOfStock'))
          throw call.errors.NotAvailable({ item: line.item, left: error.data.left })
        throw error
      }
    },
  })
  return createServer({ services: [service], limits: 'internal' })
}
