// One attempt to connect: dial, HELLO, WELCOME.
//   in  -> a transport, the terms of this side
//   out -> a session that is ready to be opened, with the terms of the server; or why there is none

import {
  ConnectionError,
  FrameType,
  newAbortController,
  readWelcome,
  RpcError,
  Session,
  statedLimits,
  stampOf,
  Timer,
  writeHello,
  type AnyContract,
  type Code,
  type ResumeTerms,
  type SessionEnd,
  type Transport,
  type WelcomeTerms,
} from '@callbox/core/internal'
import type { ResolvedOptions } from './options.ts'

export interface ConnectParts {
  readonly options: ResolvedOptions
  readonly transport: Transport
  readonly contracts: readonly AnyContract[]
  /** What HELLO says of a session to go on with. */
  readonly resumeTerms: () => ResumeTerms | undefined
  /** Called in the turn in which WELCOME came: opens the session, or gives its link away, before its next frame. */
  readonly onWelcome: (session: Session, welcome: WelcomeTerms) => void
}

export interface Attempt {
  /** Rejects with RpcError, processed `no`. */
  readonly connected: Promise<void>
  /** Gives the attempt up. */
  abort(): void
}

export function connect(parts: ConnectParts): Attempt {
  const { runtime } = parts.options
  const controller = newAbortController()
  const timeout = new Timer(() => controller.abort(new Error('connect timeout')))
  runtime.timers.arm(timeout, runtime.limits.connectMs)
  const connected = attempt(parts, controller.signal).finally(() => runtime.timers.disarm(timeout))
  return { connected, abort: () => controller.abort(new Error('closed')) }
}

type Signal = Parameters<NonNullable<Transport['dial']>>[0]['signal']

async function attempt(parts: ConnectParts, signal: Signal): Promise<void> {
  const { options, transport } = parts
  if (transport.dial === undefined)
    throw refused('failed_precondition', `${transport.name} cannot dial`)
  const auth = await unlessAborted(credentialOf(options), signal)
  const { limits } = options.runtime
  const { maxFrame, frameMs, pingBurst, maxFragments } = limits
  const link = await transport
    .dial({ signal, maxFrame, frameMs, pingBurst, maxFragments })
    .catch((error: unknown) => {
      throw refused('unavailable', `cannot connect to ${transport.target}: ${textOf(error)}`, error)
    })
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => link.abort(textOf(signal.reason))
    const settle = (): void => signal.removeEventListener('abort', onAbort)
    const session = new Session(
      { link, runtime: options.runtime, role: 'client' },
      {
        onFrame: (buffer, start, end) => {
          if (buffer[start] === FrameType.GoAway) return session.receiveGoAway(buffer, start, end)
          parts.onWelcome(session, agreed(options, readWelcome(buffer, start, end, limits)))
          settle()
          resolve()
        },
        onEnd: (end) => {
          settle()
          reject(refusalOf(end))
        },
      },
    )
    session.writeConnection(
      writeHello({
        client: options.identity,
        auth,
        contracts: parts.contracts.map(stampOf),
        codecs: options.runtime.codecs.map(({ name }) => name),
        limits: statedLimits(limits),
        session: parts.resumeTerms(),
      }),
    )
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
}

async function credentialOf(options: ResolvedOptions): Promise<unknown> {
  try {
    return await options.credential()
  } catch (error) {
    throw refused('unauthenticated', 'the credential function failed', error)
  }
}

/** A user's function may take for ever: an attempt that is over does not wait for it. */
function unlessAborted<T>(work: Promise<T>, signal: Signal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      signal.removeEventListener('abort', onAbort)
      reject(refused('unavailable', textOf(signal.reason)))
    }
    signal.addEventListener('abort', onAbort)
    const settle = (then: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      if (signal.aborted) onAbort()
      else then()
    }
    work.then(
      (value) => settle(() => resolve(value)),
      (error: Error) => settle(() => reject(error)),
    )
  })
}

function agreed({ runtime }: ResolvedOptions, welcome: WelcomeTerms): WelcomeTerms {
  if (!runtime.codecs.some(({ name }) => name === welcome.codec))
    throw new ConnectionError('protocol', 'WELCOME chooses a codec that was not offered')
  return welcome
}

/** A link that is lost before WELCOME is a server that cannot be reached. */
function refusalOf(end: SessionEnd): RpcError {
  const code = end.code === 'session_lost' || end.code === 'cancelled' ? 'unavailable' : end.code
  return refused(code, end.reason, end.cause)
}

function refused(code: Code, message: string, cause?: unknown): RpcError {
  return new RpcError(code, message, { processed: 'no', cause })
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return error.message === '' && 'code' in error ? String(error.code) : error.message
}
