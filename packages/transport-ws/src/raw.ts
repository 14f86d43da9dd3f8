// WebSockets without the RPC layer: `@callbox/transport-ws/raw`.
//   in  -> an upgrade request, or a URL
//   out -> a WebSocket that carries messages

import type * as http from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AgreedExtension, WebSocketExtension } from './extension.ts'
import { extensionsOf, isToken } from './header-list.ts'
import { isLoopback } from './origin.ts'
import { checkedProxy } from './proxy.ts'
import {
  limitsOf,
  type AcceptWebSocketOptions,
  type ConnectWebSocketOptions,
  type RawWebSocket,
} from './raw-options.ts'
import { RawSocket } from './raw-socket.ts'
import { checkedUrl, checkHeaders, upgrade } from './request.ts'
import { acceptance, chosenOf, refusalOf, refuse, type Refusal } from './upgrade.ts'

export type {
  AgreedExtension,
  ExtensionParameter,
  MessageCodec,
  WebSocketExtension,
} from './extension.ts'
export type { OriginRule } from './origin.ts'
export type {
  AcceptWebSocketOptions,
  ConnectWebSocketOptions,
  RawWebSocket,
  RawWebSocketClose,
  RawWebSocketHandler,
  RawWebSocketOptions,
} from './raw-options.ts'

/**
 * Accepts a WebSocket: called with what `node:http` gives to a listener of `upgrade`. A request that
 * RFC 6455, section 4.2.1, or the options do not allow is answered with the status of HTTP that says
 * so, its socket is ended, and nothing is returned. Throws RangeError and TypeError for options that
 * cannot be.
 */
export function acceptWebSocket(
  request: http.IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: AcceptWebSocketOptions = {},
): RawWebSocket | undefined {
  const limits = limitsOf(options)
  const { subprotocols = [], extensions = [], onRefused } = options
  const refusal = judged(request, socket, options)
  if (refusal !== undefined) {
    refuse(socket, refusal)
    onRefused?.(refusal.text, refusal.status)
    return undefined
  }
  const protocol = chosenOf(request, subprotocols)
  const agreed = agreedOf(request, extensions)
  const extension = agreed?.value ?? ''
  const connection = { socket, head }
  const codec = agreed?.start()
  socket.write(acceptance(request, protocol, extension))
  prepare(socket)
  return new RawSocket({
    connection,
    role: 'server',
    limits,
    protocol,
    extensions: extension,
    codec,
  })
}

function judged(
  request: http.IncomingMessage,
  socket: Duplex,
  options: AcceptWebSocketOptions,
): Refusal | undefined {
  const { subprotocols = [], requireSubprotocol = false, allowedOrigins = 'same-host' } = options
  const loopback = isLoopback((socket as Socket).localAddress)
  const origins = { rule: allowedOrigins, secure: 'encrypted' in socket, loopback }
  try {
    return refusalOf(request, { subprotocols, requireSubprotocol, origins })
  } catch {
    // A rule of the user's that throws must not end the process.
    return { status: 500, text: 'the request could not be judged' }
  }
}

/** The first offer that one of ours accepts. */
function agreedOf(
  request: http.IncomingMessage,
  ours: readonly WebSocketExtension[],
): AgreedExtension | undefined {
  const header = request.headers['sec-websocket-extensions']
  if (header === undefined || ours.length === 0) return undefined
  for (const { name, parameters } of extensionsOf(header) ?? []) {
    const agreed = ours.find((one) => one.name === name)?.accept(parameters)
    if (agreed !== undefined) return agreed
  }
  return undefined
}

/**
 * Refuses an upgrade before, or instead of, `acceptWebSocket`: writes an answer with `status` and one
 * line of text, ends the socket, and destroys it after a second if the client does not read.
 */
export function refuseWebSocket(socket: Duplex, status: number, reason: string): void {
  refuse(socket, { status, text: reason })
}

/**
 * Connects to `ws://` or `wss://`. Rejects with an Error whose message names the rule that the server
 * broke, with the cause of the network, or with the signal's reason; with TypeError or RangeError for
 * a URL, headers or options that cannot be. Follows no redirect.
 */
export async function connectWebSocket(
  url: string | URL,
  options: ConnectWebSocketOptions = {},
): Promise<RawWebSocket> {
  const to = checkedUrl(url)
  const limits = limitsOf(options)
  const { subprotocols = [], headers = {}, extensions = [], timeoutMs = 10_000 } = options
  checkHeaders(headers)
  checkSubprotocols(subprotocols)
  const deadline = new Deadline(timeoutMs, options.signal)
  try {
    const { socket, head, answer } = await upgrade(
      {
        url: to,
        subprotocols,
        extensions: extensions.map((one) => one.offer()).join(', '),
        headers,
        tls: options.tls ?? {},
        agent: options.agent,
        socketPath: options.socketPath,
        proxy: options.proxy === undefined ? undefined : checkedProxy(options.proxy),
      },
      deadline.signal,
    )
    return connected({ socket, head }, answer, { limits, extensions })
  } finally {
    deadline.clear()
  }
}

interface ConnectedTerms {
  readonly limits: ReturnType<typeof limitsOf>
  readonly extensions: readonly WebSocketExtension[]
}

function connected(
  connection: { readonly socket: Duplex; readonly head: Buffer },
  answer: http.IncomingMessage,
  { limits, extensions }: ConnectedTerms,
): RawWebSocket {
  const { socket } = connection
  try {
    const agreed = confirmedOf(answer, extensions)
    prepare(socket)
    return new RawSocket({
      connection,
      role: 'client',
      limits,
      protocol: answer.headers['sec-websocket-protocol'] ?? '',
      extensions: agreed?.value ?? '',
      codec: agreed?.start(),
    })
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** Section 4.1: an extension that was not offered ends the connection. */
function confirmedOf(
  answer: http.IncomingMessage,
  offered: readonly WebSocketExtension[],
): AgreedExtension | undefined {
  const header = answer.headers['sec-websocket-extensions']
  if (header === undefined) return undefined
  const chosen = extensionsOf(header)
  if (chosen === undefined) throw new Error('Sec-WebSocket-Extensions cannot be read')
  const [first, ...more] = chosen
  const extension = offered.find((one) => one.name === first?.name)
  if (first === undefined || extension === undefined)
    throw new Error('the server chose an extension that was not offered')
  if (more.length > 0) throw new Error('the server chose more than one extension')
  return extension.confirm(first.parameters)
}

function checkSubprotocols(names: readonly string[]): void {
  for (const name of names)
    if (!isToken(name)) throw new TypeError('ws: a subprotocol must be a token')
  if (new Set(names).size < names.length) throw new TypeError('ws: a subprotocol is named twice')
}

function prepare(socket: Duplex): void {
  const tcp = socket as Socket
  tcp.setTimeout?.(0)
  tcp.setNoDelay?.(true)
}

/** A signal that also fires after a time. */
class Deadline {
  readonly signal: AbortSignal
  private readonly timer: ReturnType<typeof setTimeout>
  private readonly outer: AbortSignal | undefined
  private readonly controller = new AbortController()

  constructor(timeoutMs: number, outer: AbortSignal | undefined) {
    if (!(timeoutMs > 0) || timeoutMs > 0x7fff_ffff)
      throw new RangeError('timeoutMs must be above 0 and fit a timer')
    this.signal = this.controller.signal
    this.outer = outer
    this.timer = setTimeout(() => {
      this.controller.abort(new Error(`not connected after ${timeoutMs} ms`))
    }, timeoutMs)
    if (outer?.aborted === true) this.onOuter()
    outer?.addEventListener('abort', this.onOuter)
  }

  private readonly onOuter = (): void => {
    this.controller.abort(this.outer?.reason)
  }

  clear(): void {
    clearTimeout(this.timer)
    this.outer?.removeEventListener('abort', this.onOuter)
  }
}
