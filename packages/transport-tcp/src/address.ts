// Addresses and options of the three kinds of byte stream.
//   in  -> what a user writes
//   out -> one type for dialing and listening

import type { SecureContextOptions } from 'node:tls'

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

/** Without the keys that are undefined: `node:tls` takes them for given. */
export function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<T>
}
