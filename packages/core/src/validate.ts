// Checks values against TypeBox schemas, compiled when a schema is first used.
//   in  -> a schema
//   out -> its validator, the same one each time
// The only file that brings TypeBox's compiler; nothing imports it but who wants checks.

import { Compile } from 'typebox/compile'
import type { SchemaValidator, Validate } from './codec/validator.ts'

const validators = new WeakMap<object, SchemaValidator>()

/** The validator of a schema. Compiling takes about a millisecond, at the first check. */
export const validate: Validate = (schema) => {
  let validator = validators.get(schema)
  if (validator === undefined) validators.set(schema, (validator = new Compiled(schema)))
  return validator
}

class Compiled implements SchemaValidator {
  private compiled: ReturnType<typeof Compile> | undefined
  private readonly schema: object

  constructor(schema: object) {
    this.schema = schema
  }

  check(value: unknown): string | undefined {
    const compiled = (this.compiled ??= Compile(this.schema))
    if (compiled.Check(value)) return undefined
    return describe(compiled.Errors(value))
  }
}

interface Finding {
  readonly instancePath: string
  readonly message: string
}

/** The deepest finding: in a union the outer ones only say that no branch fits. */
function describe(findings: readonly Finding[]): string {
  let found: Finding = { instancePath: '', message: 'is not valid' }
  for (const finding of findings)
    if (finding === findings[0] || finding.instancePath.length > found.instancePath.length) found = finding
  return `${found.instancePath === '' ? '/' : found.instancePath}: ${found.message}`
}
