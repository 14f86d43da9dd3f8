// Addresses and options of the three kinds of byte stream, resolved.
//   in  -> what a user writes
//   out -> a `Transport`, which both dials and listens

import type { Transport } from '@callbox/core/internal'
import type { SecureContextOptions } from 'node:tls'
import { dialSocket } from './dial.ts'
import { listenSocket } from './listen.ts'

export interface TcpOptions {
  /** Dialing: `localhost`. Listening: all addresses of this machine. */
  readonly host?: string | undefined
  /** 0 lets the system choose when listening. */
  readonly port: number
}

/** TLS 1.2 and newer. Certificates and keys as `node:tls` takes them. */
export interface TlsOptions
  extends TcpOptions, Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'pfx'> {
  /** Name that the server's certificate must have; default: `host`. */
  readonly servername?: string | undefined
  /** Listening: ask clients for a certificate (mutual TLS). */
  readonly requestCert?: boolean | undefined
  /** Listening with `requestCert`: refuse clients without a verified one. Default true. */
  readonly rejectUnauthorized?: boolean | undefined
}

export interface UnixOptions {
  /** Path of the socket. Listening creates it and removes it again. */
  readonly path: string
  /** Permissions of the socket when listening, default 0o600: this user only. */
  readonly mode?: number | undefined
}

export type Address =
  | ({ readonly kind: 'tcp' } & TcpOptions)
  | ({ readonly kind: 'tls' } & TlsOptions)
  | ({ readonly kind: 'unix' } & UnixOptions)

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
