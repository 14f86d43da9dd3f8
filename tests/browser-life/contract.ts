// What the page of life.test.ts calls.

import { contract, serverStream, unary } from '@callbox/core'
import * as T from 'typebox'

export const life = contract('life', {
  /** 1, 2, 3 ..., one each 20 ms. */
  ticks: serverStream({ output: T.Integer() }),
  echo: unary({ input: T.String(), output: T.String() }),
})
