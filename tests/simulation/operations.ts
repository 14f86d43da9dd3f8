// What the clients of a run do, as data: so that it can be printed, masked and shrunk.
//   in  -> chance, how many clients there are
//   out -> operations in the order of time

import type { Random } from '@callbox/testing/simulation'

export type OperationKind =
  | 'echo'
  | 'add'
  | 'read'
  | 'slow'
  | 'fail'
  | 'count'
  | 'sum'
  | 'mirror'
  | 'note'
  | 'follow'
  | 'ask'
  | 'close'

export interface Operation {
  readonly op: number
  /** Milliseconds since the start. */
  readonly at: number
  readonly client: number
  readonly kind: OperationKind
  /** Characters of padding in each message. */
  readonly size: number
  /** Of a stream. */
  readonly items: number
  /** Between two items, or that a handler takes, in milliseconds. */
  readonly everyMs: number
  readonly timeoutMs: number | undefined
  readonly cancelAfterMs: number | undefined
  /** Items after which the reader leaves. */
  readonly breakAfter: number | undefined
  /** How a handler fails, or what it asks its client for. */
  readonly how: string
}

const weights: Readonly<Record<OperationKind, number>> = {
  echo: 6,
  add: 6,
  read: 3,
  slow: 3,
  fail: 2,
  count: 4,
  sum: 3,
  mirror: 3,
  note: 5,
  follow: 3,
  ask: 4,
  close: 0.15,
}

const bag = (Object.entries(weights) as [OperationKind, number][]).flatMap(([kind, weight]) =>
  Array.from({ length: Math.ceil(weight * 20) }, () => kind),
)

const failures = ['declared', 'throws', 'unavailable', 'once'] as const
const asked = ['confirm', 'list', 'gather', 'tell'] as const

export interface OperationTerms {
  readonly clients: number
  readonly count: number
  readonly untilMs: number
  /** Characters of padding at most. */
  readonly mostSize: number
}

export function randomOperations(random: Random, terms: OperationTerms): readonly Operation[] {
  const operations = Array.from({ length: terms.count }, (_, op) =>
    randomOperation(random, op, terms),
  )
  return operations.sort((a, b) => a.at - b.at)
}

function randomOperation(random: Random, op: number, terms: OperationTerms): Operation {
  const kind = random.pick(bag)
  const streams = kind === 'count' || kind === 'mirror' || kind === 'follow' || kind === 'sum'
  // So many small items that they fill every window.
  const many = streams && terms.mostSize === Infinity && random.chance(0.04)
  const size = many ? random.integer(400, 2_000) : Math.min(terms.mostSize, sizeOf(random, kind))
  return {
    op,
    // Bursts now and then: what meets in one turn is written in one piece.
    at: random.chance(0.3)
      ? 1_000 * random.integer(0, Math.floor(terms.untilMs / 1_000) - 1)
      : random.integer(0, terms.untilMs),
    client: random.integer(0, terms.clients - 1),
    kind,
    size,
    items: many
      ? random.integer(200, 400)
      : size > 1_000
        ? random.integer(1, size > 15_000 ? 2 : 6)
        : random.integer(0, 20),
    everyMs: many || random.chance(0.4) ? 0 : random.integer(1, streams ? 400 : 2_500),
    timeoutMs: random.chance(0.15) ? random.integer(20, 6_000) : undefined,
    cancelAfterMs: random.chance(0.1) ? random.integer(0, 2_500) : undefined,
    breakAfter: random.chance(0.15) ? random.integer(1, 5) : undefined,
    how: kind === 'ask' ? random.pick(asked) : random.pick(failures),
  }
}

function sizeOf(random: Random, kind: OperationKind): number {
  if (random.chance(0.85)) return random.integer(0, 60)
  // Now and then more than any window: whoever counts credit wrong stops for ever.
  if (kind !== 'note' && random.chance(0.04)) return random.integer(300_000, 600_000)
  if (kind === 'note' || random.chance(0.8)) return random.integer(1_000, 14_000)
  return random.integer(60_000, 300_000)
}
