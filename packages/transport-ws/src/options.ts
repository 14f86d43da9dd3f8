// What a user writes to dial or to listen over WebSocket.

import type { Server as HttpServer } from 'node:http'
import type { SecureContextOptions } from 'node:tls'
import type { OriginRule } from './origin.ts'

type Certificates = Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'pfx'>

/** Options of `ws('wss://...')`. */
export interface WsDialOptions extends Certificates {
  /** Sent with the upgrade request. Credentials belong in `createClient`, not here. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Name that the server's certificate must have; default: the host of the URL. */
  readonly servername?: string | undefined
  /**
   * Lets a parameter of the URL be named `token`, `auth`, `jwt` or `access_token`. Default false:
   * URLs end in logs, and `createClient` has `credential`.
   */
  readonly allowUrlCredential?: boolean | undefined
}

interface Common {
  /** Path of the endpoint, default `/`. */
  readonly path?: string | undefined
  /**
   * Which pages may connect. Default `same-host`: pages whose host is the one in the Host header.
   * Clients that are no browsers send no Origin and are let in.
   */
  readonly origins?: OriginRule | undefined
  /**
   * How many proxies in front add to X-Forwarded-For. Default 0: the header is not believed, for
   * anybody can send one.
   */
  readonly trustProxy?: number | undefined
}

/** A port of its own. With `cert` and `key` it speaks TLS. */
export interface WsListenOptions extends Common, Certificates {
  readonly port: number
  /** Default: all addresses of this machine. */
  readonly host?: string | undefined
  readonly requestCert?: boolean | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

/** Beside Express, Fastify, Hono or any other user of a server of `node:http` or `node:https`. */
export interface WsAttachOptions extends Common {
  readonly server: HttpServer
}
