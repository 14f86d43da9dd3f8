// One session of a client, with what proves that it is this client's.
//   in  -> the calls of the session; the WELCOME of a link that may take it over
//   out -> what HELLO says of it; the session, going on
// Which session is the present one, and when to connect, is up to `connection.ts`.

import {
  ConnectionError,
  protocolError,
  type Calls,
  type ResumeTerms,
  type Session,
  type SessionTicket,
  type WelcomeTerms,
} from '@callbox/core/internal'

export class LiveSession {
  readonly calls: Calls
  private ticket: SessionTicket | undefined

  /** `ticket`: absent where the session ends with its link. */
  constructor(calls: Calls, ticket: SessionTicket | undefined) {
    this.calls = calls
    this.ticket = ticket
  }

  get session(): Session {
    return this.calls.session
  }

  /** What HELLO says of it; undefined unless it waits for a link. */
  get resumeTerms(): ResumeTerms | undefined {
    if (this.ticket === undefined || this.session.state !== 'parked') return undefined
    return { ...this.ticket, received: this.session.received }
  }

  /**
   * Goes on over the link of `candidate`, if the server says so. False: the server begins anew.
   * Throws ConnectionError for a WELCOME that resumes what is over, or at an impossible position.
   */
  takeOver(candidate: Session, welcome: WelcomeTerms): boolean {
    if (!welcome.resumed) return false
    const { session } = this
    if (session.state !== 'parked')
      throw new ConnectionError('session_lost', 'the session is over on this side')
    const { codecs } = this.calls.runtime
    if (welcome.codec !== codecs[this.calls.codec]!.name)
      throw protocolError('WELCOME resumes with another codec')
    if (session.retention(welcome.received) !== 'retained')
      throw protocolError('WELCOME resumes at a position that cannot be')
    this.ticket = welcome.session ?? this.ticket
    const { maxMessage, maxMeta, maxCalls } = welcome.limits
    this.calls.onLimits({ maxMessage, maxMeta, maxCalls })
    session.resume(candidate.release(), welcome.received)
    // At once: until then the server does not know that its new token has arrived.
    session.confirm()
    return true
  }
}
