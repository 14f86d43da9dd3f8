// From a new link to a connection: HELLO in time, authenticated, WELCOME.
//   in  -> a link
//   out -> a new `ServerConnection`, or one that goes on; or a refusal, and nothing left behind

import {
  ConnectionError,
  FrameType,
  protocolError,
  readHello,
  Session,
  statedLimits,
  stampsFor,
  Timer,
  writeWelcome,
  type HelloTerms,
  type Link,
  type WelcomeTerms,
} from '@callbox/core/internal'
import { admit, refusalOf, type Admittance } from './admittance.ts'
import { codecsOf, ServerConnection } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import type { ResumableSession, Sessions } from './sessions.ts'

/** Before WELCOME come calls by name, in one frame each, and CANCEL for them. */
const named = 0x08
const end = 0x02

export interface AcceptHooks {
  onReady(connection: ServerConnection): void
  /** The link of this handshake belongs to a session that it has resumed. */
  onResumed(handshake: Session): void
  onGone(connection: ServerConnection | undefined, session: Session): void
}

/** `elapsedMs`: what the transport's own handshake has taken of `handshakeMs`. */
export function accept(
  options: ResolvedOptions,
  sessions: Sessions,
  arrived: { readonly link: Link; readonly elapsedMs: number },
  hooks: AcceptHooks,
): Session {
  return new Accept(options, sessions, arrived, hooks).session
}

class Accept {
  readonly session: Session
  private readonly options: ResolvedOptions
  private readonly sessions: Sessions
  private readonly link: Link
  private readonly hooks: AcceptHooks
  private hello: HelloTerms | undefined
  private pipelined: Uint8Array[] = []
  private pipelinedBytes = 0
  private pipelinedCalls = 0
  private over = false
  private readonly timer = new Timer(() =>
    this.refuse(
      new ConnectionError('unauthenticated', 'limits.handshakeMs is over', 'handshakeMs'),
    ),
  )

  constructor(
    options: ResolvedOptions,
    sessions: Sessions,
    { link, elapsedMs }: { readonly link: Link; readonly elapsedMs: number },
    hooks: AcceptHooks,
  ) {
    this.options = options
    this.sessions = sessions
    this.link = link
    this.hooks = hooks
    const { timers, limits } = options.runtime
    timers.arm(this.timer, Math.max(1, limits.handshakeMs - elapsedMs))
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
    const { runtime } = this.options
    if (codecsOf(runtime, this.hello).length === 0) {
      const own = namesOf(runtime.codecs.map(({ name }) => name))
      throw protocolError(`no common codec: ${own} here, ${namesOf(this.hello.codecs)} there`)
    }
    void this.authenticate(this.hello)
  }

  /** Frames that come while the credential is being checked. */
  private keep(buffer: Uint8Array, from: number, to: number): void {
    const type = buffer[from]
    if (type === FrameType.GoAway) return this.session.receiveGoAway(buffer, from, to)
    if (this.hello?.session !== undefined)
      throw protocolError('nothing is sent before a session is resumed')
    const isCall =
      type === FrameType.Request && buffer[from + 1]! === (buffer[from + 1]! | named | end)
    if (!isCall && type !== FrameType.Cancel) throw protocolError('frame before WELCOME')
    if (isCall) this.pipelinedCalls += 1
    this.pipelinedBytes += to - from
    const { maxPipelinedCalls, maxPipelinedBytes } = this.options.runtime.limits
    if (this.pipelinedCalls > maxPipelinedCalls) throw tooMuchBeforeWelcome('maxPipelinedCalls')
    if (this.pipelinedBytes > maxPipelinedBytes) throw tooMuchBeforeWelcome('maxPipelinedBytes')
    // A copy: `slice` of a Buffer of Node is a view.
    this.pipelined.push(new Uint8Array(buffer.subarray(from, to)))
  }

  private async authenticate(hello: HelloTerms): Promise<void> {
    let admittance: Admittance
    try {
      admittance = await admit(this.options.authenticate, {
        credential: hello.auth,
        peer: this.link.peer,
        client: hello.client,
      })
    } catch (error) {
      return this.refuse(refusalOf(error), error)
    }
    if (this.over) return
    const asked = hello.session
    const found =
      asked === undefined ? undefined : this.sessions.find(asked, admittance.principal, hello)
    if (typeof found !== 'object') {
      if (found !== undefined) this.refuseResume(found)
      return this.welcome(hello, admittance)
    }
    const retention = found.connection.calls.session.retention(asked!.received)
    if (retention === 'ahead') return this.refuse(protocolError('position ahead of what was sent'))
    if (retention === 'retained') return this.resume(found, hello, admittance)
    this.refuseResume('position')
    this.welcome(hello, admittance)
  }

  /** The client gets a new session; the one that it asked for stays as it is. */
  private refuseResume(why: string): void {
    this.options.runtime.metrics?.count('resumes_refused', why)
    this.report('session not resumed', { reason: why })
  }

  private welcome(hello: HelloTerms, admittance: Admittance): void {
    this.finish()
    const connection = new ServerConnection(this.options, this.session, hello, {
      ...admittance,
      peer: this.link.peer,
      onGone: () => {
        if (resumable !== undefined) this.sessions.remove(resumable)
        this.hooks.onGone(connection, this.session)
      },
    })
    const resumable = this.sessions.add(connection, admittance.principal)
    const grant =
      resumable === undefined
        ? undefined
        : { id: resumable.id, token: resumable.token, graceMs: resumable.graceMs }
    const { codec } = connection
    this.writeWelcome(hello, admittance, { codec, resumed: false, received: 0, session: grant })
    this.session.open(connection.calls, {
      keepalive: this.keepalive,
      graceMs: resumable?.graceMs ?? 0,
    })
    this.hooks.onReady(connection)
    for (const frame of this.pipelined) this.session.receive(frame, 0, frame.length)
    this.pipelined = []
  }

  /** In one step, without a pause: the old link is fenced, its position read, WELCOME, replay. */
  private resume(resumable: ResumableSession, hello: HelloTerms, admittance: Admittance): void {
    this.finish()
    const { connection } = resumable
    const { session } = connection.calls
    session.fence()
    const { received } = session
    const grant = this.sessions.rotate(resumable)
    const { codec } = connection
    this.writeWelcome(hello, admittance, { codec, resumed: true, received, session: grant })
    connection.renew(admittance, this.link.peer)
    const { maxMessage, maxMeta, maxCalls } = hello.limits
    connection.calls.onLimits({ maxMessage, maxMeta, maxCalls })
    session.onConfirmed = () => {
      session.onConfirmed = undefined
      this.sessions.confirm(resumable)
    }
    session.resume(this.session.release(), hello.session!.received)
    this.hooks.onResumed(this.session)
  }

  private get keepalive(): { intervalMs: number; timeoutMs: number } {
    const { pingIntervalMs, pingTimeoutMs } = this.options.runtime.limits
    return { intervalMs: pingIntervalMs, timeoutMs: pingTimeoutMs }
  }

  private writeWelcome(
    hello: HelloTerms,
    { expiresInMs }: Admittance,
    session: Pick<WelcomeTerms, 'codec' | 'resumed' | 'received' | 'session'>,
  ): void {
    const { runtime, served, identity } = this.options
    this.session.writeConnection(
      writeWelcome({
        server: identity,
        limits: statedLimits(runtime.limits),
        methods: stampsFor(hello.contracts, served.contracts),
        keepalive: this.keepalive,
        expiresInMs,
        ...session,
      }),
    )
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
    this.options.quiet.report('warn', event, { transport, remoteAddress, ...fields })
  }
}

function tooMuchBeforeWelcome(limit: 'maxPipelinedCalls' | 'maxPipelinedBytes'): ConnectionError {
  return new ConnectionError('protocol', `over limits.${limit} before WELCOME`, limit)
}

/** Names that a peer gave, as far as they are names, for a reason that goes back to it. */
function namesOf(names: readonly string[]): string {
  const few = names.slice(0, 8).filter((name) => /^[a-z0-9-]{1,32}$/.test(name))
  return few.length === 0 ? 'none' : few.join(', ')
}
