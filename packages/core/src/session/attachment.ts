// One link while a session speaks over it: what belongs to the link and dies with it.
//   in  -> a link; its frames, its end, its silence
//   out -> the same to whoever owns it now
// A link that resumes a session is handed from the handshake that took it to that session; one that
// was replaced belongs to nobody, and what still comes over it goes nowhere.

import type { ConnectionError } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import type { Link, LinkClose } from '../link/link.ts'
import { Liveness, type LivenessParts } from './liveness.ts'

/** Of PINGs: so many come back each second. */
const pingsPerSecond = 1

export interface AttachmentOwner {
  receive(buffer: Uint8Array, start: number, end: number): void
  onDrain(): void
  onViolation(error: ConnectionError): void
  onLinkClose(close: LinkClose): void
  sendPing(nonce: Uint8Array): void
  onSilent(): void
}

export interface AttachmentParts extends LivenessParts {
  readonly link: Link
  readonly limits: Limits
}

export class Attachment {
  readonly link: Link
  readonly liveness: Liveness
  /** PINGs of the peer: counted per link. */
  readonly pings: TokenBucket
  /** Undefined once the session has another link, or is over. */
  owner: AttachmentOwner | undefined

  constructor(parts: AttachmentParts, owner: AttachmentOwner) {
    this.link = parts.link
    this.owner = owner
    this.pings = new TokenBucket(parts.limits.pingBurst, pingsPerSecond, parts.clock.now())
    this.liveness = new Liveness(parts, {
      sendPing: (nonce) => this.owner?.sendPing(nonce),
      onSilent: () => this.owner?.onSilent(),
    })
  }

  /** Begins delivery. */
  open(): void {
    this.link.open({
      onFrame: (buffer, start, end) => this.owner?.receive(buffer, start, end),
      onDrain: () => this.owner?.onDrain(),
      onViolation: (error) =>
        this.owner === undefined ? this.link.abort(error.reason) : this.owner.onViolation(error),
      onClose: (close) => {
        this.liveness.close()
        this.owner?.onLinkClose(close)
      },
    })
  }

  /** Nobody listens any more. The link is still to be closed. */
  release(): void {
    this.owner = undefined
    this.liveness.close()
  }
}
