// The opening handshake where a runtime does most of it: what is left to decide for each request.
//   in  -> a request, as `fetch` handlers get it
//   out -> who is there, or the answer that refuses
// The runtime checks key, version and tokens (RFC 6455, section 4.2.1); path, Origin, subprotocol and
// the number of connections are ours.

import type { ListenOptions, Peer } from '@callbox/core/internal'
import type { WsListenOptions } from './options.ts'
import { isLoopback, originFault } from './origin.ts'
import { subprotocol } from './subprotocol.ts'

/** The part of a Request that is looked at. */
export interface WebRequest {
  readonly method: string
  readonly url: string
  readonly headers: {
    get(name: string): string | null
    entries(): Iterable<[name: string, value: string]>
  }
}

export interface UpgradeTerms {
  readonly own: WsListenOptions
  readonly options: ListenOptions
  /** Links that are open. */
  readonly open: number
  readonly accepting: boolean
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  /** Certificate and key, where the listener speaks TLS. */
  readonly secure: Record<string, string> | undefined
}

export function admit(request: WebRequest, terms: UpgradeTerms): Peer | Response {
  const { own, options, secure } = terms
  const { headers } = request
  if (new URL(request.url).pathname !== (own.path ?? '/')) return refusal(404, 'no WebSocket here')
  if (!terms.accepting || terms.open >= options.maxConnections)
    return refused(options, 503, 'too many connections')
  if (!tokens(headers.get('upgrade')?.toLowerCase()).includes('websocket'))
    return refusal(426, 'this is a WebSocket endpoint', { Upgrade: 'websocket' })
  if (!tokens(headers.get('sec-websocket-protocol')).includes(subprotocol))
    return refused(options, 400, `the subprotocol ${subprotocol} is needed`)
  const [origin, host, cookie] = ['origin', 'host', 'cookie'].map(
    (name) => headers.get(name) ?? undefined,
  )
  const fault = originFault(
    { origin, host, cookie },
    {
      rule: own.origins ?? 'same-host',
      secure: secure !== undefined,
      loopback: isLoopback(own.host),
    },
  )
  if (fault !== undefined) return refused(options, 403, fault)
  return {
    transport: secure === undefined ? 'ws' : 'wss',
    remoteAddress: forwarded(request, own.trustProxy ?? 0) ?? terms.remoteAddress,
    remotePort: terms.remotePort,
    headers: Object.fromEntries(headers.entries()),
    origin,
  }
}

/** What the proxies that are ours have added; undefined without them. */
function forwarded(request: WebRequest, trustProxy: number): string | undefined {
  if (trustProxy === 0) return undefined
  return tokens(request.headers.get('x-forwarded-for')).at(-trustProxy)
}

function tokens(header: string | null | undefined): readonly string[] {
  return (header ?? '')
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '')
}

function refused(options: ListenOptions, status: number, text: string): Response {
  options.onError(new Error(`upgrade refused: ${text}`))
  return refusal(status, text)
}

function refusal(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers },
  })
}

function pemOf(part: unknown): string {
  if (typeof part === 'string') return part
  if (part instanceof Uint8Array) return new TextDecoder().decode(part)
  throw new TypeError('ws: cert and key are one PEM text each')
}

/**
 * Certificate and key as text; undefined without them. Throws TypeError for what only our own
 * implementation on Node can do.
 */
export function secureFrom(own: WsListenOptions): Record<string, string> | undefined {
  const { cert, key, passphrase, pfx, requestCert } = own
  if (pfx !== undefined || requestCert === true)
    throw new TypeError('ws: pfx and client certificates need Node')
  if (cert === undefined) return undefined
  return {
    cert: pemOf(cert),
    key: pemOf(key),
    ...(passphrase === undefined ? {} : { passphrase }),
  }
}
