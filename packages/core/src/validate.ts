// Checks values against TypeBox schemas, compiled when a schema is first used.
//   in  -> a schema
//   out -> its validator, the same one each time
// The only file that brings TypeBox's compiler; nothing imports it but who wants checks. Where code
// generation is forbidden TypeBox interprets the schema instead, some thousand times slower.

import { Compile } from 'typebox/compile'
import { Check, Errors } from 'typebox/value'
import type { SchemaValidator, Validate } from './codec/validator.ts'
import { Explainer, type Finding, type Tools } from './explain.ts'

const tools: Tools = { compile: Compile, check: Check, errors: Errors }

const validators = new WeakMap<object, SchemaValidator>()

/**
 * The validator of a schema. Compiling takes about a millisecond, at the first check; it throws what
 * TypeBox throws for a schema that does not compile, such as a `pattern` that is none.
 */
export const validate: Validate = (schema) => {
  let validator = validators.get(schema)
  if (validator === undefined) validators.set(schema, (validator = new Compiled(schema)))
  return validator
}

class Compiled implements SchemaValidator {
  private compiled: ReturnType<typeof Compile> | undefined
  private explainer: Explainer | undefined
  private bare = false
  private readonly schema: object

  constructor(schema: object) {
    this.schema = schema
  }

  check(value: unknown): string | undefined {
    const compiled = (this.compiled ??= this.compile())
    if (!this.bare && compiled.Check(value)) return undefined
    // A property that is undefined is absent on the wire; TypeBox knows that of named ones only.
    const sent = this.bare || hasUndefined(value, 0) ? asSent(value, this.bare, 0) : value
    if ((this.bare || sent !== value) && compiled.Check(sent)) return undefined
    return describe((this.explainer ??= new Explainer(this.schema, tools)).findings(sent))
  }

  private compile(): ReturnType<typeof Compile> {
    this.bare = namesInherited(this.schema, new Set())
    return Compile(this.schema)
  }
}

/**
 * True if some property is called like one that every object inherits. TypeBox asks `in`: `{}` would
 * have a required `toString`, and its optional one would be a function.
 */
function namesInherited(schema: object, seen: Set<object>): boolean {
  if (seen.has(schema)) return false
  seen.add(schema)
  const { properties } = schema as { readonly properties?: unknown }
  if (typeof properties === 'object' && properties !== null)
    for (const name of Object.keys(properties)) if (name in Object.prototype) return true
  return Object.values(schema).some(
    (part: unknown) => typeof part === 'object' && part !== null && namesInherited(part, seen),
  )
}

/** Far deeper than what a codec lets through; ends cycles. */
const deepest = 256

function hasUndefined(value: unknown, depth: number): boolean {
  if (!isContainer(value) || depth > deepest) return false
  if (Array.isArray(value)) return value.some((entry) => hasUndefined(entry, depth + 1))
  return Object.values(value).some((entry) => entry === undefined || hasUndefined(entry, depth + 1))
}

/** A copy without undefined properties, if `bare` of objects that inherit nothing. */
function asSent(value: unknown, bare: boolean, depth: number): unknown {
  if (!isContainer(value) || depth > deepest) return value
  if (Array.isArray(value)) return value.map((entry) => asSent(entry, bare, depth + 1))
  const copy: object = Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .map(([key, entry]) => [key, asSent(entry, bare, depth + 1)]),
  )
  return bare ? Object.setPrototypeOf(copy, null) : copy
}

/** What travels as an array or a map. */
function isContainer(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    (Array.isArray(value) || Object.prototype.toString.call(value) === '[object Object]')
  )
}

const maxPath = 256
const maxRule = 256

function describe(findings: readonly Finding[]): string {
  const { path, rule } = worst(findings)
  // Names in a path may be the peer's own keys.
  return `${cut(path === '' ? '/' : path, maxPath)}: ${cut(rule, maxRule)}`
}

/**
 * The deepest finding says most. Of a union, the branches whose literal does not fit were not meant;
 * where none was meant, the literals say what would have been.
 */
function worst(findings: readonly Finding[]): { readonly path: string; readonly rule: string } {
  // That a union does not fit as a whole says less than its branches; that an unknown property does
  // not fit the schema `false` says less than `additionalProperties`.
  const telling = findings.filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'boolean')
  const notMeant = new Set(telling.filter(isLiteral).map(branchOf))
  const meant = telling.filter((finding) => !notMeant.has(branchOf(finding)))
  const literals = telling.filter(isLiteral)
  const found = deepestOf(meant) ?? deepestOf(literals) ?? deepestOf(findings)
  if (found === undefined) return { path: '', rule: 'is not valid' }
  const path = found.instancePath
  const allowed = literals.filter((one) => one.instancePath === path).flatMap(allowedValues)
  return { path, rule: isLiteral(found) && allowed.length > 0 ? oneOf(allowed) : found.message }
}

function deepestOf(findings: readonly Finding[]): Finding | undefined {
  const depthOf = ({ instancePath }: Finding): number => instancePath.split('/').length
  let found = findings[0]
  for (const one of findings) if (found === undefined || depthOf(one) > depthOf(found)) found = one
  return found
}

function isLiteral({ keyword }: Finding): boolean {
  return keyword === 'const' || keyword === 'enum'
}

/** The branch of the innermost union that a rule stands in; outside of unions the rule itself. */
function branchOf({ schemaPath }: Finding): string {
  return /^.*\/anyOf\/\d+/.exec(schemaPath)?.[0] ?? schemaPath
}

function allowedValues({ params }: Finding): readonly unknown[] {
  if ('allowedValue' in params) return [params.allowedValue]
  if ('allowedValues' in params && Array.isArray(params.allowedValues)) return params.allowedValues
  return []
}

function oneOf(values: readonly unknown[]): string {
  const texts = values.map((value) => (typeof value === 'string' ? `"${value}"` : String(value)))
  return `must be ${texts.length === 1 ? '' : 'one of '}${[...new Set(texts)].join(', ')}`
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`
}
