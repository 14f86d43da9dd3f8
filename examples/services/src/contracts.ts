// What the two services promise: orders to its customers, stock to orders.
//   out -> `orders` and `stock`, plain values that callers and callees import

import { contract, unary } from '@callbox/core'
import * as T from 'typebox'

const Line = T.Object({ item: T.String(), count: T.Integer({ minimum: 1 }) })

export const stock = contract('stock', {
  reserve: unary({
    input: Line,
    output: T.Object({ left: T.Integer() }),
    errors: { OutOfStock: T.Object({ left: T.Integer() }) },
  }),
})

export const orders = contract('orders', {
  place: unary({
    input: Line,
    output: T.Object({ orderId: T.String(), left: T.Integer() }),
    errors: { NotAvailable: T.Object({ item: T.String(), left: T.Integer() }) },
  }),
})
