// What both sides agree on; safe to ship to a browser.
import { contract, serverStream, unary } from '@callbox/core'
import * as T from 'typebox'

export const hello = contract('hello', {
  greet: unary({ input: T.Object({ name: T.String() }), output: T.String() }),
  count: serverStream({ input: T.Object({ to: T.Integer() }), output: T.Integer() }),
})
