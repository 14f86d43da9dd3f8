// `createClient` for pages that count bytes: the compact codec only, and no msgpackr.
//   in  -> contracts, a transport, options
//   out -> a client
// Calls by name, which are in msgpack, are read by the small reader that every client has.

import type { AnyContract, Client, ReservedContracts } from '@callbox/core'
import { compact } from '@callbox/core/compact'
import { plainMsgpackCodec, type Transport } from '@callbox/core/internal'
import { clientOf } from './client.ts'
import { resolveOptions, type ClientOptions } from './options.ts'

/**
 * Makes a client, as `createClient` of `@callbox/client` does, with the compact codec. Connects on first use, and again whenever the connection is lost; calls made
 * meanwhile wait until their deadline.
 * Throws TypeError for a reserved key or two contracts of one name, RangeError for limits.
 */
export function createClient<const Cs extends { readonly [K in keyof Cs]: AnyContract }>(
  contracts: Cs & ReservedContracts,
  transport: Transport,
  options: ClientOptions = {},
): Client<Cs> {
  return clientOf<Cs>(
    contracts,
    transport,
    resolveOptions(options, { msgpack: plainMsgpackCodec, codecs: [compact()] }),
  )
}
