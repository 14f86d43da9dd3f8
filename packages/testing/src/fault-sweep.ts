// Every place at which a recorded conversation can be cut.
//   in  -> how many bytes it has, each way
//   out -> cuts, one after the other, as shapes of a fault proxy's connection

import type { LineShapes } from './fault-proxy.ts'

export interface Cut {
  readonly way: 'up' | 'down'
  /** So many bytes go through before it. */
  readonly atByte: number
  /** An orderly end, or a reset. */
  readonly by: 'end' | 'reset'
}

/** Cuts at every byte of both directions; the ways of cutting take turns, and turn with `phase`. */
export function everyCut(bytes: Readonly<Record<'up' | 'down', number>>, phase = 0): Cut[] {
  return (['up', 'down'] as const).flatMap((way) =>
    Array.from({ length: bytes[way] }, (_, atByte): Cut => {
      const by = (atByte + phase) % 2 === 0 ? 'end' : 'reset'
      return { way, atByte, by }
    }),
  )
}

/** What a connection that is cut there looks like. */
export function shapesFor({ way, atByte, by }: Cut): LineShapes {
  return { [way]: by === 'end' ? { cutAfterBytes: atByte } : { resetAfterBytes: atByte } }
}
