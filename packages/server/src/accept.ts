// From a new link to a connection: HELLO in time, authenticated, WELCOME.
//   in  -> a link
//   out -> a `ServerConnection`; or a refusal, and nothing left behind

import type { Hello } from '@callbox/core'
import {
  ConnectionError,
  FrameType,
  headerBytes,
  protocolError,
  readHello,
  RpcError,
  Session,
  statedLimits,
  stampsFor,
  Timer,
  writeWelcome,
  type HelloTerms,
  type Link,
} from '@callbox/core/internal'
import { ServerConnection } from './connection.ts'
import type { ResolvedOptions } from './options.ts'

/** What a client may send before WELCOME: calls by name, in one frame each, and CANCEL for them. */
const maxPipelinedCalls = 16
const maxPipelinedBytes = 64 * 1024
const named = 0x08
const end = 0x02

export interface AcceptHooks {
  onReady(connection: ServerConnection): void
  onGone(connection: ServerConnection | undefined, session: Session): void
}

export function accept(options: ResolvedOptions, link: Link, hooks: AcceptHooks): Session {
  return new Accept(options, link, hooks).session
}

class Accept {
  readonly session: Session
  private readonly options: ResolvedOptions
  private readonly link: Link
  private readonly hooks: AcceptHooks
  private hello: HelloTerms | undefined
  private pipelined: Uint8Array[] = []
  private pipelinedBytes = 0
  private pipelinedCalls = 0
  private over = false
  private readonly timer = new Timer(() =>
    this.refuse(new ConnectionError('unauthenticated', 'handshakeMs is over')),
  )

  constructor(options: ResolvedOptions, link: Link, hooks: AcceptHooks) {
    this.options = options
    this.link = link
    this.hooks = hooks
    const { timers, limits } = options.runtime
    timers.arm(this.timer, limits.handshakeMs)
    this.session = new Session(
      { link, runtime: options.runtime, role: 'server' },
      {
        onFrame: (buffer, from, to) => this.onFrame(buffer, from, to),
        onEnd: (reason) => {
          this.finish()
          if (!reason.byPeer && reason.code !== 'cancelled')
            this.report('connection refused', { reason: reason.reason })
          this.hooks.onGone(undefined, this.session)
        },
      },
    )
  }

  private onFrame(buffer: Uint8Array, from: number, to: number): void {
    if (this.hello !== undefined) return this.keep(buffer, from, to)
    // The peer gives up before it has begun.
    if (buffer[from] === FrameType.GoAway) return this.session.receiveGoAway(buffer, from, to)
    this.hello = readHello(buffer, from, to, this.options.runtime.limits)
    const { codec } = this.options.runtime
    if (!this.hello.codecs.includes(codec.name))
      throw protocolError(`no common codec: this side has ${codec.name}`)
    void this.authenticate(this.hello)
  }

  /** Frames that come while the credential is being checked. */
  private keep(buffer: Uint8Array, from: number, to: number): void {
    const type = buffer[from]
    if (type === FrameType.GoAway) return this.session.receiveGoAway(buffer, from, to)
    const isCall =
      type === FrameType.Request && buffer[from + 1]! === (buffer[from + 1]! | named | end)
    if (!isCall && type !== FrameType.Cancel) throw protocolError('frame before WELCOME')
    if (isCall) this.pipelinedCalls += 1
    this.pipelinedBytes += to - from
    if (
      this.pipelinedCalls > maxPipelinedCalls ||
      this.pipelinedBytes > maxPipelinedBytes + headerBytes
    )
      throw protocolError('too much before WELCOME')
    // A copy: `slice` of a Buffer of Node is a view.
    this.pipelined.push(new Uint8Array(buffer.subarray(from, to)))
  }

  private async authenticate(hello: HelloTerms): Promise<void> {
    // The user's function takes a `Hello`; its result is only handed on.
    const authenticate = this.options.authenticate as ((hello: Hello) => unknown) | undefined
    let context: unknown
    try {
      context = await authenticate?.({
        credential: hello.auth,
        peer: this.link.peer,
        client: hello.client,
      })
    } catch (error) {
      return this.refuse(refusalOf(error), error)
    }
    if (!this.over) this.welcome(hello, context)
  }

  private welcome(hello: HelloTerms, context: unknown): void {
    this.finish()
    const { runtime, served, identity } = this.options
    const { limits, codec } = runtime
    const methods = stampsFor(hello.contracts, served.contracts)
    const keepalive = { intervalMs: limits.pingIntervalMs, timeoutMs: limits.pingTimeoutMs }
    this.session.writeConnection(
      writeWelcome({
        server: identity,
        codec: codec.name,
        limits: statedLimits(limits),
        methods,
        keepalive,
      }),
    )
    const connection = new ServerConnection(this.options, this.session, hello, {
      context,
      peer: this.link.peer,
      onGone: () => this.hooks.onGone(connection, this.session),
    })
    this.session.open(connection.calls, keepalive)
    this.hooks.onReady(connection)
    for (const frame of this.pipelined) this.session.receive(frame, 0, frame.length)
    this.pipelined = []
  }

  private refuse(error: ConnectionError, cause?: unknown): void {
    if (!this.over) this.session.fail(error, cause)
  }

  private finish(): void {
    this.over = true
    this.options.runtime.timers.disarm(this.timer)
  }

  private report(event: string, fields: Record<string, unknown>): void {
    const { transport, remoteAddress } = this.link.peer
    this.options.runtime.report('warn', event, { transport, remoteAddress, ...fields })
  }
}

/** What `authenticate` throws: an RpcError says more, anything else is no reason to tell. */
function refusalOf(error: unknown): ConnectionError {
  if (error instanceof RpcError && error.code !== 'unavailable' && error.code !== 'aborted')
    return new ConnectionError(error.code, error.message.slice(0, 200))
  return new ConnectionError('unauthenticated', 'not authenticated')
}
