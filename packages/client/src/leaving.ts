// A session whose server is going away: what runs there may finish, over another link if need be.
//   in  -> a session that takes no further calls
//   out -> its end

import {
  RpcError,
  type ResumeTerms,
  type Session,
  type SessionEnd,
  type WelcomeTerms,
} from '@callbox/core/internal'
import { Dialer, type DialerOwner, type DialerParts } from './dialer.ts'
import type { LiveSession } from './live-session.ts'

export class LeavingSession implements DialerOwner {
  readonly live: LiveSession
  private readonly dialer: Dialer

  constructor(parts: DialerParts, live: LiveSession) {
    this.live = live
    this.dialer = new Dialer(parts, this)
    void live.calls.idle().then(() => this.close())
  }

  onParked(reason: string): void {
    this.dialer.after(undefined, new RpcError('session_lost', reason))
  }

  onEnd(_end: SessionEnd): void {
    void this.dialer.stop()
  }

  resumeTerms(): ResumeTerms | undefined {
    return this.live.resumeTerms
  }

  /** It is resumed, or it is over: nothing begins anew for its sake. */
  onWelcome(candidate: Session, welcome: WelcomeTerms): void {
    if (this.live.takeOver(candidate, welcome)) return
    this.live.session.lose('the server does not know the session any more')
    void candidate.close()
  }

  onDialing(): void {}

  onRefused(): void {}

  onWaiting(): void {}

  async close(): Promise<void> {
    await Promise.all([this.dialer.stop(), this.live.session.close()])
  }
}
