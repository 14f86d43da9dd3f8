// A credential that expires is renewed in time, without a new connection.
//   in  -> how long the server says it lasts; the user's `credential` function
//   out -> AUTH frames, one at a time

import { Timer, type Session } from '@callbox/core/internal'
import type { ResolvedOptions } from './options.ts'

/** This long before it expires, in milliseconds; a shorter life is renewed after half of it. */
const aheadMs = 60_000

export class CredentialRefresh {
  private readonly options: ResolvedOptions
  private session: Session | undefined
  private readonly timer = new Timer(() => void this.renew())

  constructor(options: ResolvedOptions) {
    this.options = options
  }

  /** `expiresInMs`: undefined if the credential does not expire. */
  start(session: Session, expiresInMs: number | undefined): void {
    this.stop()
    this.session = session
    if (expiresInMs !== undefined)
      this.options.runtime.timers.arm(this.timer, Math.max(expiresInMs / 2, expiresInMs - aheadMs))
  }

  stop(): void {
    this.options.runtime.timers.disarm(this.timer)
    this.session = undefined
  }

  /** The server has taken the new credential. One that it refuses ends the connection. */
  onAnswer(answer: Readonly<Record<string, unknown>>): void {
    const { expiresInMs } = answer
    if (this.session !== undefined && typeof expiresInMs === 'number' && expiresInMs > 0)
      this.start(this.session, expiresInMs)
  }

  private async renew(): Promise<void> {
    const { session } = this
    let auth: unknown
    try {
      auth = await this.options.credential()
    } catch (error) {
      // The server closes the connection once the old one is over; the next attempt asks again.
      return this.options.runtime.report('warn', 'credential not renewed', { err: error })
    }
    if (session !== undefined && session === this.session) session.writeAuth({ auth })
  }
}
