// The methods of the shared cases: the same in both directions, so that either side may be caller.

import { bidi, Bytes, clientStream, contract, event, serverStream, unary } from '@callbox/core'
import * as T from 'typebox'

const methods = {
  nothing: unary({}),
  size: unary({ input: Bytes(), output: Bytes() }),
  values: unary({ input: T.Unknown(), output: T.Unknown() }),
  upload: clientStream({ input: Bytes(), output: T.Integer() }),
  first: clientStream({ input: Bytes(), output: T.Integer() }),
  download: serverStream({ input: T.Array(T.Integer()), output: Bytes() }),
  echo: bidi({ input: T.String(), output: T.String() }),
  collect: bidi({ input: T.String(), output: T.String() }),
  speakFirst: bidi({
    params: T.Object({ word: T.String() }),
    input: T.String(),
    output: T.String(),
  }),
  note: event({ input: T.Object({ n: T.Integer({ minimum: 0 }) }) }),
  notes: unary({ output: T.Array(T.Integer()) }),
  strict: unary({ input: T.Object({ n: T.Integer({ maximum: 9 }) }), output: T.Integer() }),
  strictItems: clientStream({ input: T.Integer({ maximum: 9 }), output: T.Integer() }),
  badOutput: unary({ output: T.Integer() }),
  throws: serverStream({
    input: T.Object({ items: T.Integer(), how: T.String(), text: T.String() }),
    output: T.Integer(),
    errors: { Busy: T.Object({ seats: T.Integer() }) },
  }),
  fails: unary({
    input: T.Object({ how: T.String(), text: T.String() }),
    errors: { Busy: T.Object({ seats: T.Integer() }) },
  }),
  hang: unary({ input: T.String() }),
  hangStream: serverStream({
    input: T.Object({ id: T.String(), items: T.Integer() }),
    output: T.Integer(),
  }),
  hangUpload: clientStream({
    params: T.Object({ id: T.String() }),
    input: T.String(),
    output: T.Integer(),
  }),
  hangBoth: bidi({
    params: T.Object({ id: T.String(), items: T.Integer() }),
    input: T.String(),
    output: T.Integer(),
  }),
  /** Ids of handlers whose signal has fired. */
  aborted: unary({ output: T.Array(T.String()) }),
} as const

export const conf = contract('conf', methods, { client: methods })
