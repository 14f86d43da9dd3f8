// `createServer`: services, listeners, connections, and one orderly end.
//   in  -> services, options; transports to listen on
//   out -> connections; a server that closes

import type { Service } from '@callbox/core'
import {
  installAmbient,
  processConnections,
  type ArrivalLimit,
  type AuthenticateIfNeeded,
  type Link,
  type Listener,
  type Needs,
  type ServerSnapshot,
  type Session,
  type Transport,
} from '@callbox/core/internal'
import { accept } from './accept.ts'
import { asyncLocalAmbient } from './ambient.ts'
import type { ServerConnection } from './connection.ts'
import { descriptorCeiling } from './descriptors.ts'
import {
  resolveOptions,
  type CloseOptions,
  type ListeningOn,
  type ResolvedOptions,
  type Server,
  type ServerOptions,
} from './options.ts'
import { Sessions } from './sessions.ts'
import { within } from './within.ts'

const defaultGraceMs = 10_000
const defaultAcceptMs = 5_000
const mostSpreadMs = 2_000

/**
 * Makes a server. It listens on nothing yet.
 * Throws TypeError for two services of one contract, RangeError for limits.
 */
export function createServer<const S extends readonly Service<never>[], Context extends Needs<S>>(
  options: ServerOptions<S, Context> & AuthenticateIfNeeded<S>,
): Server {
  installAmbient(asyncLocalAmbient)
  // From here on the context is opaque: handlers and `authenticate` were checked against each other.
  return new CallboxServer(
    resolveOptions(options as unknown as Parameters<typeof resolveOptions>[0]),
  )
}

class CallboxServer implements Server {
  private readonly options: ResolvedOptions
  private readonly listeners = new Set<Listener>()
  /** Connections that the descriptors of this process allow. */
  private ceiling = Infinity
  private readonly connections = new Set<ServerConnection>()
  /** Links whose handshake is not through. */
  private readonly arriving = new Set<Session>()
  private readonly sessions: Sessions
  private closing: Promise<void> | undefined
  /** Closing, and no longer accepting. */
  private shut = false

  constructor(options: ResolvedOptions) {
    this.options = options
    const { clock, limits } = options.runtime
    this.sessions = new Sessions(limits.sessionGraceMs, (length) => clock.randomBytes(length))
  }

  async listen(transport: Transport): Promise<ListeningOn> {
    if (this.closing !== undefined) throw new Error('the server is closed')
    if (transport.listen === undefined) throw new TypeError(`${transport.name} cannot listen`)
    const { quiet } = this.options
    const { limits } = this.options.runtime
    this.heedDescriptors()
    const { name } = transport
    const listener = await transport.listen({
      onLink: (link, elapsedMs = 0) => this.onLink(link, elapsedMs),
      onError: (error) => quiet.report('warn', 'link refused', { transport: name, err: error }),
      onRefused: (limit) => this.onRefused(name, limit),
      full: () => this.full(),
      maxFrame: limits.maxFrame,
      maxFirstFrame: limits.maxHello,
      frameMs: limits.frameMs,
      pingBurst: limits.pingBurst,
      maxFragments: limits.maxFragments,
      handshakeMs: limits.handshakeMs,
      maxConnections: limits.maxConnections,
    })
    this.listeners.add(listener)
    this.options.lag.start()
    return listener
  }

  /** Without descriptors connections vanish without a word, theirs and those of others. */
  private heedDescriptors(): void {
    const ceiling = descriptorCeiling()
    if (ceiling === undefined) return
    this.ceiling = ceiling.connections
    const { limits, report } = this.options.runtime
    if (ceiling.connections < limits.maxConnections)
      report('warn', 'limits.maxConnections is lowered to what descriptors allow', {
        maxConnections: limits.maxConnections,
        ...ceiling,
      })
  }

  /** Whether somebody else may come in. */
  private full(): 'maxConnections' | 'maxPreAuth' | undefined {
    if (processConnections() >= this.ceiling) return 'maxConnections'
    let arriving = this.arriving.size
    for (const listener of this.listeners) arriving += listener.arriving ?? 0
    return arriving >= this.options.runtime.limits.maxPreAuth ? 'maxPreAuth' : undefined
  }

  private onRefused(transport: string, limit: ArrivalLimit): void {
    this.options.runtime.metrics?.count('limit_hits', limit)
    const reason = `over limits.${limit} (${this.options.runtime.limits[limit]})`
    this.options.quiet.report('warn', 'link refused', { transport, reason })
  }

  private onLink(link: Link, elapsedMs: number): void {
    if (this.shut) return link.abort('the server is closed')
    // Of transports that do not ask before.
    if (this.arriving.size >= this.options.runtime.limits.maxPreAuth) {
      this.onRefused(link.peer.transport, 'maxPreAuth')
      return link.abort('over limits.maxPreAuth')
    }
    const session = accept(
      this.options,
      this.sessions,
      { link, elapsedMs },
      {
        onReady: (connection) => this.onReady(connection),
        onResumed: (handshake) => this.arriving.delete(handshake),
        onGone: (connection, gone) => {
          this.arriving.delete(gone)
          if (connection === undefined) return
          this.connections.delete(connection)
          this.options.runtime.metrics?.gauge('connections', this.connections.size)
        },
      },
    )
    if (session.state === 'opening') this.arriving.add(session)
  }

  private onReady(connection: ServerConnection): void {
    this.arriving.delete(connection.calls.session)
    this.connections.add(connection)
    const { metrics } = this.options.runtime
    metrics?.count('connections_opened', connection.peer.transport)
    metrics?.gauge('connections', this.connections.size)
    if (this.shut) return void connection.close({ graceMs: 0 })
    this.limitAge(connection)
    try {
      this.options.onConnection(connection)
    } catch (error) {
      this.options.runtime.report('error', 'onConnection failed', { err: error })
    }
  }

  /** Asks the client to connect anew after a while: what runs may finish. */
  private limitAge(connection: ServerConnection): void {
    const { clock, limits } = this.options.runtime
    const { maxConnectionAgeMs } = limits
    // 10 % more or less, so that clients that came together do not leave together.
    if (maxConnectionAgeMs > 0)
      connection.retireAfter(maxConnectionAgeMs * (0.9 + 0.2 * clock.random()))
  }

  close(options: CloseOptions = {}): Promise<void> {
    return (this.closing ??= this.shutDown(options))
  }

  inspect(): ServerSnapshot {
    const { runtime, lag } = this.options
    return {
      listeners: this.listeners.size,
      arriving: this.arriving.size,
      connections: [...this.connections].map(({ calls }) => calls.snapshot()),
      timers: runtime.timers.length,
      processBytes: runtime.memory.bytes,
      lagMs: lag.medianMs,
    }
  }

  /** Tells every client, accepts for a while longer, then ends what is left. */
  private async shutDown(options: CloseOptions): Promise<void> {
    const { graceMs = defaultGraceMs, acceptMs = defaultAcceptMs } = options
    const { spreadMs = Math.min(mostSpreadMs, graceMs / 5) } = options
    const { clock, timers } = this.options.runtime
    const endsAt = clock.now() + graceMs
    const returnMs = Math.min(acceptMs, graceMs)
    const told = [...this.connections].map((connection) => {
      const reconnectAfterMs = Math.floor(clock.random() * spreadMs)
      return connection.close({ graceMs, reconnectAfterMs, returnMs })
    })
    await within(timers, returnMs, Promise.all(told))
    this.shut = true
    await Promise.all([...this.listeners].map((listener) => listener.close()))
    this.listeners.clear()
    this.options.lag.stop()
    this.options.quiet.flush()
    const leftMs = Math.max(0, endsAt - clock.now())
    await Promise.all([
      ...told,
      ...[...this.connections].map((connection) => connection.close({ graceMs: leftMs })),
      ...[...this.arriving].map((session) => session.close()),
    ])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
