// What a peer can cause as often as it likes is logged once a second, with how often it was.
//   in  -> events of a server
//   out -> one a second of each kind; `repeated` counts those that were left out
// The kinds are this package's own words, so there are few of them. What users must find again by its
// id, a handler that failed, goes past this.

import type { Clock, Report, ReportLevel } from '@callbox/core/internal'

const everyMs = 1_000

export class Quiet {
  private readonly clock: Pick<Clock, 'now'>
  private readonly out: Report
  private readonly kinds = new Map<string, { nextAt: number; repeated: number }>()

  constructor(clock: Pick<Clock, 'now'>, out: Report) {
    this.clock = clock
    this.out = out
  }

  readonly report = (level: ReportLevel, event: string, fields: Record<string, unknown>): void => {
    const now = this.clock.now()
    let kind = this.kinds.get(event)
    if (kind === undefined) this.kinds.set(event, (kind = { nextAt: now, repeated: 0 }))
    if (now < kind.nextAt) {
      kind.repeated += 1
      return
    }
    const { repeated } = kind
    kind.nextAt = now + everyMs
    kind.repeated = 0
    this.out(level, event, repeated === 0 ? fields : { ...fields, repeated })
  }

  /** Says what is still to be said. */
  flush(): void {
    for (const [event, kind] of this.kinds) {
      const { repeated } = kind
      kind.repeated = 0
      if (repeated > 0) this.out('warn', event, { repeated })
    }
  }
}
