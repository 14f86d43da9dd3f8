// The same client with the compact codec only: what scripts/bundle.mjs weighs beside the other.
//   in  -> nothing
//   out -> one call over WebSocket

import { createClient } from '@callbox/client/compact'
import { contract, unary } from '@callbox/core'
import { ws } from '@callbox/transport-ws'
import * as T from 'typebox'

const greeter = contract('greeter', {
  greet: unary({
    input: T.Object({ name: T.String(), times: T.Integer() }),
    output: T.Object({ text: T.String() }),
  }),
})

const client = createClient({ greeter }, ws(`wss://${location.host}/rpc`))
document.title = (await client.greeter.greet({ name: 'world', times: 1 })).text
