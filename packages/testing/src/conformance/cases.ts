// All cases in one list for each of the two kinds.
//   in  -> the files of cases
//   out -> `callCases`, for a caller; `wireCases`, for a raw peer

import { endingCases } from './call-endings.ts'
import { kindCases } from './call-kinds.ts'
import { valueCases } from './call-values.ts'
import { titleOf, type CallCase, type WireCase } from './case.ts'
import { abuseCases } from './wire-abuse.ts'
import { callCases as wireCallCases } from './wire-calls.ts'
import { encodingCases } from './wire-encoding.ts'
import { flowCases } from './wire-flow.ts'
import { handshakeCases } from './wire-handshake.ts'

export { isAlive } from './call-kinds.ts'

export const callCases: readonly CallCase[] = [...kindCases, ...valueCases, ...endingCases]

export const wireCases: readonly WireCase[] = [
  ...encodingCases,
  ...handshakeCases,
  ...wireCallCases,
  ...flowCases,
  ...abuseCases,
]

/** The case of this title. Throws Error for none. */
export function findCallCase(title: string): CallCase {
  const found = callCases.find((one) => titleOf(one) === title)
  if (found === undefined) throw new Error(`no case '${title}'`)
  return found
}
