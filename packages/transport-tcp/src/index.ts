// Callbox over TCP, TLS and unix sockets.
//   in  -> an address
//   out -> a `Transport`, which both dials and listens

import type { Transport } from '@callbox/core/internal'
import type { Address, TcpOptions, TlsOptions, UnixOptions } from './address.ts'
import { dialSocket } from './dial.ts'
import { listenSocket } from './listen.ts'

export type { TcpOptions, TlsOptions, UnixOptions } from './address.ts'

/** Plain TCP. Throws RangeError for a port that cannot be. */
export function tcp(options: TcpOptions): Transport {
  checkPort(options.port)
  return transport({ kind: 'tcp', ...options })
}

/** TCP inside TLS. Throws RangeError for a port that cannot be. */
export function tls(options: TlsOptions): Transport {
  checkPort(options.port)
  return transport({ kind: 'tls', ...options })
}

/** A unix domain socket. */
export function unix(options: UnixOptions): Transport {
  return transport({ kind: 'unix', ...options })
}

function transport(address: Address): Transport {
  return {
    name: address.kind,
    target:
      address.kind === 'unix'
        ? `unix:${address.path}`
        : `${address.kind}://${address.host ?? 'localhost'}:${address.port}`,
    dial: (options) => dialSocket(address, options),
    listen: (options) => listenSocket(address, options),
  }
}

function checkPort(port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new RangeError('port must be an integer from 0 to 65535')
}
