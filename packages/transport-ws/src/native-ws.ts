// What `ws()` does on runtimes that listen by means of their own: Bun and Deno.
//   in  -> a URL, or where to listen and how the runtime does that
//   out -> a transport

import type { Listener, ListenOptions, Transport } from '@callbox/core/internal'
import { nativeTransport } from './native.ts'
import type { WsDialOptions, WsListenOptions } from './options.ts'

/** What of the options of a dialing client does not need our own implementation, on Node. */
export type WsNativeDialOptions = Pick<WsDialOptions, 'allowUrlCredential'>

/** `ws()` of a runtime that listens by means of its own. Throws RangeError for a port that cannot be. */
export function nativeWs(
  to: string | URL | WsListenOptions,
  options: WsNativeDialOptions,
  listen: (own: WsListenOptions, terms: ListenOptions) => Promise<Listener>,
): Transport {
  if (typeof to === 'string' || to instanceof URL) return nativeTransport(new URL(to), options)
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 65_535)
    throw new RangeError('port must be an integer from 0 to 65535')
  const name = to.cert === undefined ? 'ws' : 'wss'
  return {
    name,
    target: `${name}://${to.host ?? '*'}:${to.port}${to.path ?? '/'}`,
    listen: (terms) => listen(to, terms),
  }
}
