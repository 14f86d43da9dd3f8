// What the compact codec does with a schema: which of its forms each part of it takes (docs/codec.md).
//   in  -> a schema of TypeBox
//   out -> a graph of plans, for whoever builds readers and writers from it
// Goes by the keywords that the schema hash covers, so that equal hashes mean equal bytes; by `~kind`
// only for Bytes and Timestamp, which have none.

import { isObject, SchemaGraph, valueOf } from '../../contract/graph.ts'

export interface Property {
  readonly name: string
  readonly plan: Plan
  readonly optional: boolean
}

export type Constant = string | number | bigint | boolean | null | undefined

/** One part of a schema. Those of a recursive one lead back to themselves. */
export type Plan =
  | { readonly kind: 'object'; readonly properties: readonly Property[] }
  | { readonly kind: 'string' | 'number' | 'bigint' | 'boolean' | 'timestamp' | 'packed' }
  | { readonly kind: 'integer'; readonly unsigned: boolean }
  | { readonly kind: 'constant'; readonly value: Constant }
  | { readonly kind: 'enum'; readonly values: readonly Constant[] }
  | { readonly kind: 'union'; readonly branches: readonly Plan[] }
  | { readonly kind: 'array'; readonly item: Plan; readonly maxItems: number }
  | { readonly kind: 'tuple'; readonly items: readonly Plan[] }
  | { readonly kind: 'record'; readonly value: Plan }
  | { readonly kind: 'bytes'; readonly maxLength: number }

export interface Planned {
  readonly plan: Plan
  /** False if the schema says more than what decoding by this plan makes sure of. */
  readonly complete: boolean
}

/** The plan of a schema: the same one for whatever stands in it twice. */
export function planOf(schema: object): Planned {
  const planner = new Planner(schema)
  const plan = planner.plan(schema)
  planner.straighten()
  return { plan, complete: planner.complete }
}

/** Every plan that this one leads to, itself included. */
export function reachable(plan: Plan): ReadonlySet<Plan> {
  const found = new Set<Plan>()
  const visit = (one: Plan): void => {
    if (found.has(one)) return
    found.add(one)
    partsOf(one).forEach(visit)
  }
  visit(plan)
  return found
}

export function partsOf(plan: Plan): readonly Plan[] {
  switch (plan.kind) {
    case 'object':
      return plan.properties.map((property) => property.plan)
    case 'union':
      return plan.branches
    case 'array':
      return [plan.item]
    case 'tuple':
      return plan.items
    case 'record':
      return [plan.value]
    default:
      return []
  }
}

const packed: Plan = { kind: 'packed' }

class Planner {
  complete = true
  private readonly graph: SchemaGraph
  private readonly plans = new Map<object, Plan>()

  constructor(root: object) {
    this.graph = new SchemaGraph(root)
  }

  plan(schema: object): Plan {
    const known = this.plans.get(schema)
    if (known !== undefined) return known
    const target = this.graph.target(schema)
    if (target !== undefined) return this.referred(schema, target)
    // Filled in later, for what leads back to it meanwhile.
    const plan: Plan = { kind: 'packed' }
    this.plans.set(schema, plan)
    Object.assign(plan, this.form(schema))
    if (!saysNoMore(schema, plan.kind)) this.complete = false
    return plan
  }

  /** A `$ref` is what it refers to; one that leads to itself is left to msgpack. */
  private referred(schema: object, target: object): Plan {
    this.plans.set(schema, packed)
    const plan = this.plan(target)
    this.plans.set(schema, plan)
    if (plan === packed || !saysNoMore(schema, 'reference')) this.complete = false
    return plan
  }

  /** Travels as msgpack; whatever the schema says is left to the validator. */
  private opaque(): Plan {
    this.complete = false
    return packed
  }

  private form(schema: object): Plan {
    if (hiddenKind(schema) === 'Timestamp') return { kind: 'timestamp' }
    if (hiddenKind(schema) === 'Bytes') return bytesForm(schema)
    const value = valueOf(schema, 'const')
    if (Object.hasOwn(schema, 'const'))
      return isConstant(value) ? { kind: 'constant', value } : this.opaque()
    const listed: unknown = valueOf(schema, 'enum')
    if (Array.isArray(listed))
      return listed.every(isConstant) ? { kind: 'enum', values: listed } : this.opaque()
    const branches = valueOf(schema, 'anyOf')
    if (Array.isArray(branches)) return this.unionForm(branches)
    const parts = valueOf(schema, 'allOf')
    if (Array.isArray(parts)) return this.intersectForm(schema, parts)
    return this.typeForm(schema, valueOf(schema, 'type'))
  }

  private typeForm(schema: object, type: unknown): Plan {
    switch (type) {
      case 'string':
      case 'number':
      case 'bigint':
      case 'boolean':
        return { kind: type }
      case 'integer': {
        const minimum = valueOf(schema, 'minimum')
        if (minimum !== undefined && minimum !== 0) this.complete = false
        return { kind: 'integer', unsigned: typeof minimum === 'number' && minimum >= 0 }
      }
      case 'null':
        return { kind: 'constant', value: null }
      case 'undefined':
      case 'void':
        return { kind: 'constant', value: undefined }
      case 'array':
        return this.arrayForm(schema)
      case 'object':
        return this.objectForm(schema)
      default:
        return packed
    }
  }

  private arrayForm(schema: object): Plan {
    const items = valueOf(schema, 'items')
    if (Array.isArray(items)) {
      const closed = valueOf(schema, 'additionalItems') === false
      const fixed = valueOf(schema, 'minItems') === items.length
      if (!closed || !fixed || !items.every(isObject) || items.some(isRest)) return this.opaque()
      return { kind: 'tuple', items: items.map((item) => this.plan(item)) }
    }
    if (!isObject(items)) return this.opaque()
    const maxItems = valueOf(schema, 'maxItems')
    return {
      kind: 'array',
      item: this.plan(items),
      maxItems: typeof maxItems === 'number' ? maxItems : Infinity,
    }
  }

  private objectForm(schema: object): Plan {
    const patterns = valueOf(schema, 'patternProperties')
    const additional = valueOf(schema, 'additionalProperties')
    const properties = valueOf(schema, 'properties')
    if (isObject(patterns)) {
      const values = Object.entries(patterns) as [string, unknown][]
      const [pattern, value] = values[0] ?? []
      if (values.length !== 1 || !isObject(value) || properties !== undefined) return this.opaque()
      if (pattern !== anyKey) this.complete = false
      return { kind: 'record', value: this.plan(value) }
    }
    // Properties that have no name here are part of the value only where the schema says so.
    if (additional !== undefined && additional !== false) return this.opaque()
    if (!isObject(properties)) return this.opaque()
    const required = valueOf(schema, 'required')
    const names = Object.keys(properties).sort()
    const listed: Property[] = names.map((name) => ({
      name,
      plan: this.planOrOpaque(valueOf(properties, name)),
      optional: !(Array.isArray(required) && required.includes(name)),
    }))
    if (names.includes('__proto__') || !names.every(isWellFormed)) return this.opaque()
    if (Array.isArray(required) && !required.every((name) => names.includes(String(name))))
      this.complete = false
    return { kind: 'object', properties: listed }
  }

  private planOrOpaque(schema: unknown): Plan {
    return isObject(schema) ? this.plan(schema) : this.opaque()
  }

  private unionForm(schemas: readonly unknown[]): Plan {
    const branches = schemas.map((schema) => this.planOrOpaque(schema))
    // Constants take no bytes: only which of them it is goes on the wire.
    const values = branches.flatMap((branch) => (branch.kind === 'constant' ? [branch.value] : []))
    return values.length === branches.length
      ? { kind: 'enum', values }
      : { kind: 'union', branches }
  }

  /** Objects whose names differ are one object together. */
  private intersectForm(schema: object, schemas: readonly unknown[]): Plan {
    const properties: Property[] = []
    for (const part of schemas) {
      const plan = this.planOrOpaque(part)
      if (plan.kind !== 'object') return this.opaque()
      // A closed part refuses the names of the others: nothing fits but what the validator says.
      if (valueOf(part as object, 'additionalProperties') === false) this.complete = false
      properties.push(...plan.properties)
    }
    const names = new Set(properties.map(({ name }) => name))
    const alone = valueOf(schema, 'type') === undefined
    if (!alone || names.size !== properties.length) return this.opaque()
    properties.sort((a, b) => (a.name < b.name ? -1 : 1))
    return { kind: 'object', properties }
  }

  /** A union that leads to itself with nothing around it would never end: it is left to msgpack. */
  straighten(): void {
    for (const plan of this.plans.values())
      if (plan.kind === 'union' && leadsBare(plan, plan, new Set()))
        Object.assign(plan, this.opaque())
  }
}

function leadsBare(from: Plan, to: Plan, seen: Set<Plan>): boolean {
  if (from.kind !== 'union' || seen.has(from)) return false
  seen.add(from)
  return from.branches.some((branch) => branch === to || leadsBare(branch, to, seen))
}

/** Key pattern of `T.Record(T.String(), ...)`. */
const anyKey = '^.*$'

function hiddenKind(schema: object): unknown {
  return '~kind' in schema ? schema['~kind'] : undefined
}

function isRest(schema: object): boolean {
  return valueOf(schema, 'type') === 'rest'
}

function isWellFormed(name: string): boolean {
  return !/\p{Surrogate}/u.test(name)
}

function bytesForm(schema: object): Plan {
  const { maxLength } = schema as { readonly maxLength?: number | undefined }
  return { kind: 'bytes', maxLength: maxLength ?? Infinity }
}

function isConstant(value: unknown): value is Constant {
  return (typeof value !== 'object' && typeof value !== 'function') || value === null
}

/** Keywords that change nothing, or that the form itself makes sure of. */
const harmless: ReadonlySet<string> = new Set(
  'title description examples default deprecated readOnly writeOnly $comment $id $defs unsafePattern unsafeUnion'.split(
    ' ',
  ),
)

/** Keywords that a form makes sure of. */
const covered: Readonly<Record<Plan['kind'] | 'reference', readonly string[]>> = {
  object: ['type', 'properties', 'required', 'additionalProperties', 'allOf'],
  string: ['type'],
  number: ['type'],
  bigint: ['type'],
  boolean: ['type'],
  integer: ['type', 'minimum'],
  timestamp: [],
  packed: [],
  constant: ['type', 'const'],
  enum: ['enum', 'anyOf'],
  union: ['anyOf'],
  array: ['type', 'items', 'maxItems'],
  tuple: ['type', 'items', 'additionalItems', 'minItems'],
  record: ['type', 'patternProperties'],
  bytes: [],
  reference: ['$ref'],
}

/** True if a schema says no more than its form makes sure of, its parts aside. */
function saysNoMore(schema: object, form: Plan['kind'] | 'reference'): boolean {
  const own = covered[form]
  if (!Object.keys(schema).every((key) => harmless.has(key) || own.includes(key))) return false
  const refinements = (schema as { readonly '~refine'?: readonly unknown[] })['~refine'] ?? []
  // Bytes and Timestamp are refinements themselves: of what their form makes sure of.
  return refinements.length === (form === 'bytes' || form === 'timestamp' ? 1 : 0)
}
