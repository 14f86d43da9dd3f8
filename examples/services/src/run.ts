// A customer of orders, which is a customer of stock: four calls, each printed as it goes.
//   out -> lines on the terminal

import { createClient, safe } from '@callbox/client'
import { tcp } from '@callbox/transport-tcp'
import { orders, stock } from './contracts.ts'
import { createOrders } from './orders.ts'
import { createStock } from './stock.ts'

const say = (line: string): void => console.log(`  ${line}`)
const show = (line: string): void => console.log(line)

let anvilSeen = (): void => undefined
const stockServer = createStock((line) => {
  say(line)
  if (line.includes('x anvil')) anvilSeen()
})
const stockListener = await stockServer.listen(tcp({ port: 0 }))
const stockClient = createClient({ stock }, tcp({ port: stockListener.port }))
const ordersServer = createOrders(stockClient, say)
const ordersListener = await ordersServer.listen(tcp({ port: 0 }))
const customer = createClient({ orders }, tcp({ port: ordersListener.port }))

show('an order within 2 s: the time left goes along')
const [, placed] = await safe(
  customer.orders.place({ item: 'brush', count: 3 }, { timeoutMs: 2_000 }),
)
show(`=> ${placed?.orderId}, ${placed?.left} brushes left\n`)

show('more than there is: a typed error becomes another typed error')
const [refused] = await safe(customer.orders.place({ item: 'brush', count: 4 }))
if (refused?.tag === 'NotAvailable')
  show(`=> ${refused.tag}: ${refused.data.left} of ${refused.data.item} left\n`)

show('an anvil within 300 ms: too late here is too late there')
const [late] = await safe(customer.orders.place({ item: 'anvil', count: 1 }, { timeoutMs: 300 }))
show(`=> ${late?.code}\n`)

show('an anvil that the customer does not want any more')
const change = new AbortController()
const reachedStock = new Promise<void>((resolve) => (anvilSeen = resolve))
const call = safe(customer.orders.place({ item: 'anvil', count: 1 }, { signal: change.signal }))
await reachedStock
change.abort()
const [cancelled] = await call
show(`=> ${cancelled?.code}`)

// From the outside in: each waits for what it still does.
await customer.close()
await ordersServer.close()
await stockClient.close()
await stockServer.close()
