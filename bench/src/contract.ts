// What every Callbox contender speaks.

import * as T from 'typebox'

/** The message of W1. Its id counts from 0. */
export const Message = T.Object({
  id: T.Integer({ minimum: 0 }),
  name: T.String(),
  tags: T.Array(T.String()),
  pos: T.Object({ x: T.Number(), y: T.Number() }),
})
