// `createClient`, with the codecs that the platform brings along.
//   in  -> contracts, a transport, options
//   out -> a client

import type { AnyContract, Client, ReservedContracts } from '@callbox/core'
import type { Transport } from '@callbox/core/internal'
import { defaults } from '#defaults'
import { clientOf } from './client.ts'
import { resolveOptions, type ClientOptions } from './options.ts'

/**
 * Makes a client. Connects on first use, and again whenever the connection is lost; calls made
 * meanwhile wait until their deadline.
 * Throws TypeError for a reserved key or two contracts of one name, RangeError for limits.
 */
export function createClient<const Cs extends { readonly [K in keyof Cs]: AnyContract }>(
  contracts: Cs & ReservedContracts,
  transport: Transport,
  options: ClientOptions = {},
): Client<Cs> {
  return clientOf<Cs>(contracts, transport, resolveOptions(options, defaults))
}
