// The opening handshake of RFC 6455 (section 4), both sides.
//   in  -> an upgrade request, or the answer to ours
//   out -> the headers of the answer, or why it is refused
// Origin is checked by default: a browser sends cookies with a WebSocket of any page (CSWSH).

import { createHash, randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** The subprotocol that both sides must agree on. */
export const subprotocol = 'callbox.v1'

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Which pages may connect: same host as the server's, these origins, or whom a function lets in. */
export type OriginRule = 'same-host' | '*' | readonly string[] | ((origin: string) => boolean)

export interface Refusal {
  readonly status: number
  /** One line, for whoever debugs a client. */
  readonly text: string
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The value of `Sec-WebSocket-Accept` for a key (section 4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + guid)
    .digest('base64')
}

/** 16 random bytes in base64 (section 4.1). */
export function newKey(): string {
  return randomBytes(16).toString('base64')
}

/** Undefined: the request may be upgraded. */
export function refusalOf(request: IncomingMessage, origins: OriginRule): Refusal | undefined {
  const { headers, method } = request
  if (method !== 'GET')
    return { status: 405, text: 'a WebSocket begins with GET', headers: { Allow: 'GET' } }
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor < 1)
    return { status: 400, text: 'HTTP/1.1 is needed' }
  if (countOf(request, 'host') !== 1) return { status: 400, text: 'exactly one Host is needed' }
  if (!tokens(headers.upgrade).includes('websocket'))
    return { status: 426, text: 'Upgrade: websocket is needed', headers: { Upgrade: 'websocket' } }
  if (!tokens(headers.connection).includes('upgrade'))
    return { status: 400, text: 'Connection: Upgrade is needed' }
  if (headers['sec-websocket-version'] !== '13')
    return { status: 426, text: 'version 13 is needed', headers: { 'Sec-WebSocket-Version': '13' } }
  if (countOf(request, 'sec-websocket-key') !== 1 || !isKey(headers['sec-websocket-key']))
    return { status: 400, text: 'Sec-WebSocket-Key must be 16 bytes in base64' }
  if (!listed(headers['sec-websocket-protocol']).includes(subprotocol))
    return { status: 400, text: `the subprotocol ${subprotocol} is needed` }
  const { origin } = headers
  if (origin !== undefined && !isAllowed(origin, origins, headers.host))
    return { status: 403, text: 'this origin is not allowed' }
  return undefined
}

/** A client without Origin is no browser: cookies of a user are not at its mercy. */
function isAllowed(origin: string, rule: OriginRule, host: string | undefined): boolean {
  if (rule === '*') return true
  if (typeof rule === 'function') return rule(origin)
  if (rule === 'same-host') return hostOf(origin) === host?.toLowerCase()
  return rule.some((allowed) => allowed.toLowerCase() === origin.toLowerCase())
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host
  } catch {
    return undefined
  }
}

function countOf(request: IncomingMessage, name: string): number {
  let count = 0
  for (let index = 0; index < request.rawHeaders.length; index += 2)
    if (request.rawHeaders[index]!.toLowerCase() === name) count += 1
  return count
}

function isKey(key: string | undefined): boolean {
  return key !== undefined && /^[A-Za-z0-9+/]{22}==$/.test(key)
}

function tokens(header: string | undefined): readonly string[] {
  return listed(header).map((token) => token.toLowerCase())
}

function listed(header: string | undefined): readonly string[] {
  return (header ?? '').split(',').map((token) => token.trim())
}

/** The answer that opens the WebSocket. `key` has been checked. */
export function acceptance(key: string): string {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptOf(key)}`,
    `Sec-WebSocket-Protocol: ${subprotocol}`,
    '\r\n',
  ].join('\r\n')
}

/** An answer that closes. */
export function rejection({ status, text, headers = {} }: Refusal): string {
  const reasons: Record<number, string> = {
    400: 'Bad Request',
    403: 'Forbidden',
    404: 'Not Found',
    405: 'Method Not Allowed',
    426: 'Upgrade Required',
    503: 'Service Unavailable',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [
    `HTTP/1.1 ${status} ${reasons[status] ?? 'Refused'}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text) + 1}`,
    ...lines,
    '',
    `${text}\n`,
  ].join('\r\n')
}

/** What is wrong with the answer to an upgrade of ours (section 4.1), or undefined. */
export function faultOf(headers: IncomingHttpHeaders, key: string): string | undefined {
  if (!tokens(headers.upgrade).includes('websocket'))
    return 'the answer does not upgrade to websocket'
  if (!tokens(headers.connection).includes('upgrade'))
    return 'the answer does not say Connection: Upgrade'
  if (headers['sec-websocket-accept'] !== acceptOf(key)) return 'Sec-WebSocket-Accept is wrong'
  if (headers['sec-websocket-extensions'] !== undefined)
    return 'the server chose an extension that was not offered'
  if (headers['sec-websocket-protocol'] !== subprotocol)
    return `the server does not speak ${subprotocol}`
  return undefined
}
