// The methods of the conformance cases: the same in both directions, so that either side may be
// caller.

import {
  bidi,
  Bytes,
  clientStream,
  contract,
  event,
  serverStream,
  unary,
  type Contract,
} from '@callbox/core'
import * as T from 'typebox'

const id = T.Object({ id: T.String() })
const busy = { Busy: T.Object({ seats: T.Integer() }) }

const unaries = {
  nothing: unary({}),
  /** Gives its bytes back. */
  size: unary({ input: Bytes(), output: Bytes() }),
  /** So many bytes of 7. */
  bytes: unary({ input: T.Integer(), output: Bytes() }),
  /** Sum of all bytes. */
  checksum: unary({ input: Bytes(), output: T.Integer() }),
  values: unary({ input: T.Unknown(), output: T.Unknown() }),
  strict: unary({ input: T.Object({ n: T.Integer({ maximum: 9 }) }), output: T.Integer() }),
  badOutput: unary({ output: T.Integer() }),
  fails: unary({ input: T.Object({ how: T.String(), text: T.String() }), errors: busy }),
}

const streams = {
  upload: clientStream({ input: Bytes(), output: T.Integer() }),
  first: clientStream({ input: Bytes(), output: T.Integer() }),
  strictItems: clientStream({ input: T.Integer({ maximum: 9 }), output: T.Integer() }),
  download: serverStream({ input: T.Array(T.Integer()), output: Bytes() }),
  echo: bidi({ input: T.String(), output: T.String() }),
  collect: bidi({ input: T.String(), output: T.String() }),
  speakFirst: bidi({
    params: T.Object({ word: T.String() }),
    input: T.String(),
    output: T.String(),
  }),
  throws: serverStream({
    input: T.Object({ items: T.Integer(), how: T.String(), text: T.String() }),
    output: T.Integer(),
    errors: busy,
  }),
  /** Gives items as fast as they are taken. */
  produce: serverStream({
    input: T.Object({ id: T.String(), items: T.Integer(), bytes: T.Integer() }),
    output: Bytes(),
  }),
  /** Takes so many items, waits for `release`, takes the rest. Gives the sum of their bytes. */
  consume: clientStream({
    params: T.Object({ id: T.String(), take: T.Integer() }),
    input: Bytes(),
    output: T.Integer(),
  }),
}

const events = {
  note: event({
    input: T.Object({ n: T.Integer({ minimum: 0 }), text: T.Optional(T.String()) }),
  }),
  /** Notes since it was asked last. */
  notes: unary({ output: T.Array(T.Integer()) }),
  /** Runs until `release`. */
  wait: event({ input: T.Object({ id: T.String(), text: T.String() }) }),
}

const metadata = {
  /** The metadata of this call. */
  metadata: unary({ output: T.Unknown() }),
  metadataItems: serverStream({ input: T.Object({ items: T.Integer() }), output: T.Unknown() }),
  metadataUpload: clientStream({ input: T.Integer(), output: T.Unknown() }),
  /** The metadata that `metadataItems` has seen last. */
  lastMetadata: unary({ output: T.Unknown() }),
}

/** Handlers that end when they are cancelled, or released, and whoever asks about them. */
const endless = {
  hang: unary({ input: T.String() }),
  hangStream: serverStream({
    input: T.Object({ id: T.String(), items: T.Integer() }),
    output: T.Integer(),
  }),
  hangUpload: clientStream({ params: id, input: T.String(), output: T.Integer() }),
  hangBoth: bidi({
    params: T.Object({ id: T.String(), items: T.Integer() }),
    input: T.String(),
    output: T.Integer(),
  }),
  /** Runs on after its signal has fired, until `release`. */
  stubborn: unary({ input: T.String(), output: T.String() }),
  release: unary({ input: T.String() }),
  /** Whether the handler of this id has begun. */
  hasBegun: unary({ input: T.String(), output: T.Boolean() }),
  /** Whether its signal has fired, or its generator was left. */
  aborted: unary({ input: T.String(), output: T.Boolean() }),
  /** Items that `produce` has given. */
  given: unary({ input: T.String(), output: T.Integer() }),
}

const methods = { ...unaries, ...streams, ...events, ...metadata, ...endless } as const

export const conf: Contract<typeof methods, typeof methods> = contract('conf', methods, {
  client: methods,
})
