// The opening handshake of RFC 6455 (section 4), both sides.
//   in  -> an upgrade request, or the answer to ours
//   out -> the headers of the answer, or why it is refused

import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { extensionsOf, tokensOf, wordsOf } from './header-list.ts'
import { originFault, type OriginTerms } from './origin.ts'

/** Most bytes of headers that are read, of a request and of an answer. */
export const maxHeaderBytes: number = 16 * 1024

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** How long a refused client may take to read why. */
const refusalMs = 1_000

export interface Refusal {
  readonly status: number
  /** One line, for whoever debugs a client. */
  readonly text: string
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface UpgradeTerms {
  readonly subprotocols: readonly string[]
  /** Whether a client that speaks none of them is refused. */
  readonly requireSubprotocol: boolean
  readonly origins: OriginTerms
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
export function refusalOf(request: IncomingMessage, terms: UpgradeTerms): Refusal | undefined {
  return httpRefusal(request) ?? handshakeRefusal(request) ?? termsRefusal(request, terms)
}

/** What RFC 9112 asks of a request that is to become something else. */
function httpRefusal(request: IncomingMessage): Refusal | undefined {
  const { headers, method } = request
  if (method !== 'GET')
    return { status: 405, text: 'a WebSocket begins with GET', headers: { Allow: 'GET' } }
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor < 1)
    return { status: 400, text: 'HTTP/1.1 is needed' }
  if (bytesOfHeaders(request) > maxHeaderBytes)
    return { status: 431, text: `headers over ${maxHeaderBytes} bytes` }
  if (countOf(request, 'host') !== 1 || headers.host === undefined || headers.host === '')
    return { status: 400, text: 'exactly one Host is needed' }
  // A body would be taken for frames.
  if (headers['transfer-encoding'] !== undefined || !isNothing(headers['content-length']))
    return { status: 400, text: 'an upgrade has no body' }
  return undefined
}

function isNothing(contentLength: string | undefined): boolean {
  return contentLength === undefined || /^0{1,20}$/.test(contentLength)
}

/** Section 4.2.1. */
function handshakeRefusal(request: IncomingMessage): Refusal | undefined {
  const { headers } = request
  if (!wordsOf(headers.upgrade).includes('websocket'))
    return { status: 400, text: 'Upgrade: websocket is needed', headers: { Upgrade: 'websocket' } }
  if (!wordsOf(headers.connection).includes('upgrade'))
    return { status: 400, text: 'Connection: Upgrade is needed' }
  if (headers['sec-websocket-version'] !== '13')
    return { status: 426, text: 'version 13 is needed', headers: versionHeaders }
  if (countOf(request, 'sec-websocket-key') !== 1 || !isKey(headers['sec-websocket-key']))
    return { status: 400, text: 'Sec-WebSocket-Key must be 16 bytes in base64' }
  const extensions = headers['sec-websocket-extensions']
  if (extensions !== undefined && extensionsOf(extensions) === undefined)
    return { status: 400, text: 'Sec-WebSocket-Extensions cannot be read' }
  return undefined
}

/** Section 4.4, and RFC 9110, section 15.5.22: 426 names what to upgrade to. */
const versionHeaders = { 'Upgrade': 'websocket', 'Sec-WebSocket-Version': '13' }

function termsRefusal(request: IncomingMessage, terms: UpgradeTerms): Refusal | undefined {
  const { headers } = request
  const { subprotocols, requireSubprotocol, origins } = terms
  const offered = headers['sec-websocket-protocol']
  if (offered !== undefined && tokensOf(offered) === undefined)
    return { status: 400, text: 'Sec-WebSocket-Protocol cannot be read' }
  if (requireSubprotocol && chosenOf(request, subprotocols) === '')
    return { status: 400, text: `a subprotocol is needed: ${subprotocols.join(', ')}` }
  if (countOf(request, 'origin') > 1) return { status: 400, text: 'one Origin, not more' }
  const fault = originFault(headers, origins)
  return fault === undefined ? undefined : { status: 403, text: fault }
}

/** The first subprotocol of the client that the server speaks too; empty for none. */
export function chosenOf(request: IncomingMessage, subprotocols: readonly string[]): string {
  const offered = tokensOf(request.headers['sec-websocket-protocol'] ?? '') ?? []
  return offered.find((name) => subprotocols.includes(name)) ?? ''
}

function countOf({ rawHeaders }: IncomingMessage, name: string): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]!.toLowerCase() === name) count += 1
  return count
}

/** Names, values, and the `: ` and line ends around them. */
function bytesOfHeaders({ rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((sum, part) => sum + part.length + 2, 0)
}

/** 16 bytes in base64: 22 digits, the last of which has two bits, and its padding. */
function isKey(key: string | undefined): boolean {
  return key !== undefined && /^[A-Za-z0-9+/]{22}==$/.test(key)
}

/** The answer that opens the WebSocket. The request has passed `refusalOf`. */
export function acceptance(request: IncomingMessage, protocol: string, extensions = ''): string {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptOf(request.headers['sec-websocket-key']!)}`,
    ...(protocol === '' ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...(extensions === '' ? [] : [`Sec-WebSocket-Extensions: ${extensions}`]),
    '\r\n',
  ].join('\r\n')
}

const reasons: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [426, 'Upgrade Required'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [500, 'Internal Server Error'],
  [503, 'Service Unavailable'],
])

/** An answer that closes. */
function rejection({ status, text, headers = {} }: Refusal): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [
    `HTTP/1.1 ${status} ${reasons.get(status) ?? 'Refused'}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text) + 1}`,
    ...lines,
    '',
    `${text}\n`,
  ].join('\r\n')
}

/** Says why and ends the socket; one whose client does not read is destroyed after a second. */
export function refuse(socket: Duplex, refusal: Refusal): void {
  // A socket without an error listener ends the process.
  socket.on('error', () => undefined)
  const timer = setTimeout(() => socket.destroy(), refusalMs).unref()
  socket.once('close', () => clearTimeout(timer))
  socket.end(rejection(refusal))
  // A body of the request must not keep the socket from its end.
  socket.resume()
}

export interface OfferedTerms {
  readonly key: string
  readonly subprotocols: readonly string[]
}

/** What is wrong with the answer to an upgrade of ours (section 4.1), or undefined. */
export function faultOf(answer: IncomingMessage, offered: OfferedTerms): string | undefined {
  const { headers } = answer
  // RFC 9110, section 7.8: before HTTP/1.1 there is no Upgrade. The parser of Node takes any version.
  if (answer.httpVersion !== '1.1') return 'the answer is not HTTP/1.1'
  if (answer.statusCode !== 101)
    return `the server answered ${answer.statusCode ?? '?'} instead of 101`
  // A list that holds it among others will not do.
  if (headers.upgrade?.toLowerCase() !== 'websocket')
    return 'the answer does not upgrade to websocket'
  if (!wordsOf(headers.connection).includes('upgrade'))
    return 'the answer does not say Connection: Upgrade'
  if (headers['sec-websocket-accept'] !== acceptOf(offered.key))
    return 'Sec-WebSocket-Accept is wrong'
  const protocol = headers['sec-websocket-protocol']
  if (protocol !== undefined && !offered.subprotocols.includes(protocol))
    return 'the server chose a subprotocol that was not offered'
  return undefined
}
