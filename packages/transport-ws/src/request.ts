// A client's upgrade request: over TCP, TLS, a unix socket, an agent or a proxy.
//   in  -> a URL and options
//   out -> a socket that has been upgraded, its first bytes and the answer; or why there is none

import * as http from 'node:http'
import * as https from 'node:https'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { isToken } from './header-list.ts'
import { checkEndpoint } from './endpoint.ts'
import { tunnel } from './proxy.ts'
import { faultOf, maxHeaderBytes, newKey } from './upgrade.ts'

/** What is given to `node:tls` for `wss`. */
export type TlsOptions = Pick<
  tls.ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'key'
  | 'passphrase'
  | 'pfx'
  | 'servername'
  | 'rejectUnauthorized'
  | 'checkServerIdentity'
  | 'minVersion'
>

export interface UpgradeRequest {
  readonly url: URL
  readonly subprotocols: readonly string[]
  /** Value of Sec-WebSocket-Extensions; empty for none. */
  readonly extensions: string
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsOptions
  readonly agent?: http.Agent | undefined
  readonly socketPath?: string | undefined
  readonly proxy?: URL | undefined
}

export interface Upgraded {
  readonly socket: Duplex
  readonly head: Buffer
  readonly answer: http.IncomingMessage
}

/** The part of AbortSignal that is needed here. */
interface Signal {
  readonly aborted: boolean
  readonly reason?: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Asks for the upgrade and checks the answer, except its extensions. No redirect is followed. */
export async function upgrade(to: UpgradeRequest, signal?: Signal): Promise<Upgraded> {
  if (signal?.aborted === true) throw reasonOf(signal)
  const through = to.proxy === undefined ? undefined : await tunnel(to.proxy, to.url, signal)
  const key = newKey()
  return new Promise((resolve, reject) => {
    const request = requestOf(to, key, through)
    const onAbort = (): void => void request.destroy(reasonOf(signal))
    const leave = (): void => signal?.removeEventListener('abort', onAbort)
    signal?.addEventListener('abort', onAbort)
    const fail = (error: Error): void => {
      leave()
      request.destroy()
      // TLS that fails leaves the tunnel beneath it open.
      through?.destroy()
      reject(error)
    }
    request.on('error', fail)
    request.on('response', (answer) => {
      answer.destroy()
      fail(new Error(faultOf(answer, { key, subprotocols: to.subprotocols }) ?? 'no upgrade'))
    })
    request.on('upgrade', (answer, socket, head) => {
      leave()
      socket.on('error', () => undefined)
      const fault = faultOf(answer, { key, subprotocols: to.subprotocols })
      if (fault === undefined) return resolve({ socket, head, answer })
      socket.destroy()
      reject(new Error(fault))
    })
    request.end()
    if (signal?.aborted === true) onAbort()
  })
}

export function reasonOf(signal: Signal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error('aborted')
}

function requestOf(
  to: UpgradeRequest,
  key: string,
  through: Duplex | undefined,
): http.ClientRequest {
  const { url } = to
  const secure = url.protocol === 'wss:'
  const options: https.RequestOptions = {
    ...(secure ? tlsOf(to) : {}),
    host: hostOf(url),
    port: portOf(url),
    path: `${url.pathname}${url.search}`,
    // Each connection has a socket of its own.
    agent: to.agent ?? false,
    ...(to.socketPath === undefined ? {} : { socketPath: to.socketPath }),
    maxHeaderSize: maxHeaderBytes,
    headers: headersOf(to, key),
  }
  if (through !== undefined) {
    delete options.agent
    options.createConnection = () =>
      secure ? tls.connect({ ...tlsOf(to), socket: through, host: hostOf(url) }) : through
  }
  return (secure ? https : http).request(options)
}

function headersOf(to: UpgradeRequest, key: string): Record<string, string> {
  return {
    // Before ours: a user's Host is allowed, the headers of the handshake were refused.
    'Host': to.url.host,
    ...to.headers,
    'Upgrade': 'websocket',
    'Connection': 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key,
    ...(to.subprotocols.length === 0
      ? {}
      : { 'Sec-WebSocket-Protocol': to.subprotocols.join(', ') }),
    ...(to.extensions === '' ? {} : { 'Sec-WebSocket-Extensions': to.extensions }),
  }
}

/**
 * The certificate must be for the host of the URL. Said here, because node:https would take the name
 * from the Host header.
 */
function tlsOf({ url, tls: own }: UpgradeRequest): TlsOptions {
  const host = hostOf(url)
  const given = Object.fromEntries(
    Object.entries(own).filter(([, value]) => value !== undefined),
  ) as TlsOptions
  return { servername: isIP(host) === 0 ? host : '', ...given }
}

export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port)
  return url.protocol === 'wss:' || url.protocol === 'https:' ? 443 : 80
}

/** A URL of a WebSocket (section 3). Throws TypeError for any other. */
export function checkedUrl(to: string | URL): URL {
  // Parameters are the affair of whoever uses WebSockets without Callbox.
  const url = checkEndpoint(new URL(to), true)
  if (url.hash !== '') throw new TypeError('ws: no fragment in the URL')
  return url
}

const ours: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'transfer-encoding',
  'upgrade',
])

/** Throws TypeError for what would break out of its line, or speak for us. */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!isToken(name)) throw new TypeError('ws: a header name must be a token')
    if (ours.has(name.toLowerCase())) throw new TypeError(`ws: ${name} is not for users to set`)
    if (typeof value !== 'string' || !isFieldValue(value))
      throw new TypeError(`ws: the value of ${name} may not stand in a header`)
  }
}

/** Visible characters, spaces and tabs, and what Latin-1 adds (RFC 9110, section 5.5). */
function isFieldValue(value: string): boolean {
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at)
    if (code > 0xff || code === 0x7f || (code < 0x20 && code !== 0x09)) return false
  }
  return true
}
