// The compact codec of a plan as generated code: one function for each way, no calls for what is
// small. Its refusals do not say where; whoever wants to know runs the closures on the same input.
//   in  -> a plan, limits
//   out -> a reader and a writer, in bytes and verdicts the same as those of `closures.ts`
// The source holds names and constants of the own schema only, as JSON; nothing of a peer's. Throws
// EvalError where code generation is forbidden.

import type { GuardLimits } from '../guard.ts'
import { isRecord, own } from './choice.ts'
import { checkKey, entriesOf } from './entries.ts'
import { ReaderLines } from './generate-reader.ts'
import { WriterLines } from './generate-writer.ts'
import { readPacked, writePacked } from './packed.ts'
import type { Plan } from './plan.ts'
import { Program } from './program.ts'
import { readBoolean, readListed, writeBinary, type Closures } from './scalars.ts'
import {
  putFloat,
  putVarint,
  putZigzag,
  readBigint,
  readBytes,
  readCount,
  readKeyCount,
  readFloat,
  readText,
  readTimestamp,
  readVarint,
  readZigzag,
  Refusal,
  run,
  writeBigint,
  writeText,
} from './wire.ts'

/** Made once: a refusal says no more here, and a stack would cost more than the rest. */
const refused = new Refusal('value', 'refused')

const helpers = {
  run,
  readText,
  readVarint,
  readZigzag,
  readFloat,
  readBigint,
  readBoolean,
  readBytes,
  readCount,
  readKeyCount,
  readListed,
  readPacked,
  readTimestamp,
  writeText,
  writeBigint,
  writeBinary,
  writePacked,
  putVarint,
  putZigzag,
  putFloat,
  checkKey,
  entriesOf,
  isRecord,
  own,
  bad: (): never => {
    throw refused
  },
}

type Factory = (h: typeof helpers, k: readonly unknown[]) => Closures

export function generatedOf(plan: Plan, limits: GuardLimits): Closures {
  const program = new Program(plan, limits)
  const source = sourceOf(program)
  // oxlint-disable-next-line eslint/no-new-func, typescript/no-implied-eval -- of the own schema
  const factory = new Function('h', 'k', source) as Factory
  return factory(helpers, program.constants)
}

function sourceOf(program: Program): string {
  const functions: string[] = []
  // Grows while it is walked.
  for (const [plan, name] of program.names)
    functions.push(
      new ReaderLines(program).reader(plan, name),
      new WriterLines(program).writer(plan, name),
    )
  return [
    '"use strict"',
    `const { ${Object.keys(helpers).join(', ')} } = h`,
    ...program.constants.map((_, index) => `const k${index} = k[${index}]`),
    ...functions,
    'return { read: r0, write: w0 }',
  ].join('\n')
}
