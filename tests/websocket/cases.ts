// All cases of a role, each with a name that stays: `family.number`.
//   in  -> the families
//   out -> one list for each role

import type { Case, Family } from './case.ts'
import { closing } from './families/closing.ts'
import { control } from './families/control.ts'
import { deflate } from './families/deflate.ts'
import { fragments } from './families/fragments.ts'
import { framing } from './families/framing.ts'
import { handshakeClient } from './families/handshake-client.ts'
import { handshakeServer } from './families/handshake-server.ts'
import { inflate } from './families/inflate.ts'
import { limit } from './families/limits.ts'
import { negotiationClient } from './families/negotiation-client.ts'
import { negotiationServer } from './families/negotiation-server.ts'
import { utf8 } from './families/utf8.ts'
import type { Role } from './wire.ts'

export interface NamedCase extends Case {
  readonly name: string
  readonly family: string
}

const families: readonly Family[] = [
  ...handshakeServer,
  ...negotiationServer,
  ...handshakeClient,
  ...negotiationClient,
  ...framing,
  ...control,
  ...fragments,
  ...utf8,
  ...closing,
  ...limit,
  ...inflate,
  ...deflate,
]

/** Numbered within the family, so that a new family moves no name. */
export function casesOf(role: Role): readonly NamedCase[] {
  const counts = new Map<string, number>()
  return families.flatMap(({ name, cases }) =>
    cases
      .filter((one) => one.role === undefined || one.role === role)
      .map((one) => {
        const number = (counts.get(name) ?? 0) + 1
        counts.set(name, number)
        return { ...one, family: name, name: `${name}.${number}` }
      }),
  )
}
