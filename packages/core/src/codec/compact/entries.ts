// What objects and records are on the wire: bits in front, keys that rise.
//   in  -> properties; keys and values
//   out -> places of bits; what travels

import type { Property } from './plan.ts'
import { refuse } from './wire.ts'

/** Where the bits of each property are; -1 for one that it has not. */
export interface Flags {
  readonly present: readonly number[]
  readonly value: readonly number[]
  readonly count: number
}

export function flagsOf(properties: readonly Property[]): Flags {
  let count = 0
  const present: number[] = []
  const value: number[] = []
  for (const { plan, optional } of properties) {
    present.push(optional ? count++ : -1)
    value.push(plan.kind === 'boolean' ? count++ : -1)
  }
  return { present, value, count }
}

/** Keys rise: so none stands twice. */
export function checkKey(key: string, last: string | undefined): void {
  if (last !== undefined && key <= last) refuse('dup', 'keys must rise')
  if (key === '__proto__') refuse('proto', 'the key __proto__')
}

/** What of a record travels, sorted by UTF-16 code units. */
export function entriesOf(value: Readonly<Record<string, unknown>>): [string, unknown][] {
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  if (Object.hasOwn(value, '__proto__')) refuse('proto', 'the key __proto__ does not travel')
  return entries.sort(([a], [b]) => (a < b ? -1 : 1))
}
