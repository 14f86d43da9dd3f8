// The sessions of one server that can be resumed, and what proves whose they are.
//   in  -> new connections; HELLOs that name a session
//   out -> ids and tokens; the connection to go on with, or nothing
// An id names a session, a token proves it. Both are random; a token changes at every resume. The new
// one is pending until a frame comes over the new link: until then the old one resumes too, and gets
// the same pending one, for a WELCOME that was lost must not cost the session (threat R2).

import type { HelloTerms, ResumeTerms, SessionGrant } from '@callbox/core/internal'
import { timingSafeEqual } from 'node:crypto'
import { contractsOf, type ServerConnection } from './connection.ts'

const partBytes = 16

/** Makes bytes of cryptographic quality. */
type RandomBytes = (length: number) => Uint8Array

/** One session, as HELLO may ask for it. */
export interface ResumableSession {
  readonly connection: ServerConnection
  readonly id: Uint8Array
  readonly graceMs: number
  /** Who its client is, as `authenticate` said; undefined if it did not. */
  readonly principal: string | undefined
  token: Uint8Array
  pending: Uint8Array | undefined
}

export type ResumeRefusal = 'unknown' | 'token' | 'principal' | 'contracts' | 'codec' | 'position'

export class Sessions {
  private readonly byId = new Map<string, ResumableSession>()
  private readonly graceMs: number
  private readonly randomBytes: RandomBytes

  constructor(graceMs: number, randomBytes: RandomBytes) {
    this.graceMs = graceMs
    this.randomBytes = randomBytes
  }

  /** Sessions known: with a link, or waiting for one. */
  get length(): number {
    return this.byId.size
  }

  /** Undefined where sessions end with their link. */
  add(connection: ServerConnection, principal: string | undefined): ResumableSession | undefined {
    if (this.graceMs === 0) return undefined
    const session: ResumableSession = {
      connection,
      id: this.randomBytes(partBytes),
      graceMs: this.graceMs,
      principal,
      token: this.randomBytes(partBytes),
      pending: undefined,
    }
    this.byId.set(keyOf(session.id), session)
    return session
  }

  remove(session: ResumableSession): void {
    this.byId.delete(keyOf(session.id))
  }

  /** The session that a HELLO asks for, if it may have it; else why not. Changes nothing. */
  find(
    asked: ResumeTerms,
    principal: string | undefined,
    hello: HelloTerms,
  ): ResumableSession | ResumeRefusal {
    const session = this.byId.get(keyOf(asked.id))
    if (session === undefined) return 'unknown'
    const fits =
      timingSafeEqual(asked.token, session.token) ||
      (session.pending !== undefined && timingSafeEqual(asked.token, session.pending))
    if (!fits) return 'token'
    if (session.principal !== principal) return 'principal'
    const { contracts, codec } = session.connection
    if (contracts !== contractsOf(hello)) return 'contracts'
    // What waits to be replayed is in the codec that was agreed on.
    return hello.codecs.includes(codec) ? session : 'codec'
  }

  /** The token that a WELCOME gives for a session that is being resumed. */
  rotate(session: ResumableSession): SessionGrant {
    const token = (session.pending ??= this.randomBytes(partBytes))
    return { id: session.id, token, graceMs: session.graceMs }
  }

  /** A frame has come over the new link: its peer has the pending token. */
  confirm(session: ResumableSession): void {
    session.token = session.pending ?? session.token
    session.pending = undefined
  }
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1')
}
