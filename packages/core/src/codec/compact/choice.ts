// Which branch of a union a value travels as.
//   in  -> the branches' plans; a value
//   out -> the number of a branch
// A class of values that only one branch has decides at once, and so does a property that is another
// constant in each branch. Else the values of the branches overlap: then it is the branch that leaves
// the fewest properties of the value behind, of equals the first.

import { isWellFormed, mostTime } from './wire.ts'
import type { Constant, Plan } from './plan.ts'

type Union = Extract<Plan, { kind: 'union' }>

/** Classes of values: no value is in two of them. */
const classes = {
  string: 1,
  number: 2,
  bigint: 4,
  boolean: 8,
  null: 16,
  undefined: 32,
  array: 64,
  bytes: 128,
  date: 256,
  object: 512,
} as const
const everything = 1023

export interface Choice {
  /** The branch of a value; -1 for one that fits none. It may still not fit the one. */
  of(value: unknown): number
  /** Whether no earlier branch takes a value of this one. */
  certain(branch: number): boolean
  /** True if a value that was read as this branch would have been written as it, too. */
  confirms(branch: number, value: unknown): boolean
  /**
   * The value as it arrives if it travels as this branch: without the properties that are left
   * behind, where an earlier branch may take what remains. Else the value itself.
   */
  kept(branch: number, value: unknown): unknown
}

const choices = new WeakMap<Plan, Choice>()

export function choiceOf(union: Union): Choice {
  let choice = choices.get(union)
  if (choice === undefined) choices.set(union, (choice = makeChoice(union.branches)))
  return choice
}

function makeChoice(branches: readonly Plan[]): Choice {
  const masks = branches.map((branch) => classesOf(branch, new Set()))
  const byClass = new Map<number, readonly number[]>()
  for (const bit of Object.values(classes))
    byClass.set(
      bit,
      masks.flatMap((mask, index) => ((mask & bit) === 0 ? [] : [index])),
    )
  const objects = byClass.get(classes.object)!
  const tag = objects.length > 1 ? tagOf(branches, objects) : undefined
  const decided = (bit: number): boolean =>
    byClass.get(bit)!.length < 2 || (bit === classes.object && tag !== undefined)
  const overlapping = Object.values(classes).filter((bit) => !decided(bit))
  /** Of each branch, the earlier ones that may take the same value. */
  const earlier = branches.map((_, index) => [
    ...new Set(
      overlapping.flatMap((bit) => {
        const candidates = byClass.get(bit)!
        return candidates.includes(index) ? candidates.filter((other) => other < index) : []
      }),
    ),
  ])
  return {
    of(value) {
      const bit = classOf(value)
      if (bit === classes.object && tag !== undefined)
        return tag.branch.get(own(value as object, tag.name) as Constant) ?? -1
      const candidates = byClass.get(bit)!
      return candidates.length === 1 ? candidates[0]! : closest(branches, candidates, value)
    },
    certain: (branch) => earlier[branch]!.length === 0,
    kept(branch, value) {
      if (overlapping.length === 0) return value
      const left = fit(branches[branch]!, value, 0)
      // What does not fit at all is refused by whoever writes it.
      return left === 0 || left === Infinity ? value : keep(branches[branch]!, value)
    },
    confirms: (branch, value) =>
      earlier[branch]!.every((other) => fit(branches[other]!, value, 0) !== 0),
  }
}

function closest(branches: readonly Plan[], candidates: readonly number[], value: unknown): number {
  let found = -1
  let least = Infinity
  for (const index of candidates) {
    const left = fit(branches[index]!, value, 0)
    if (left < least) {
      least = left
      found = index
      if (left === 0) break
    }
  }
  return found
}

/** A property that is a constant in each of these objects, and another in each. */
function tagOf(
  branches: readonly Plan[],
  objects: readonly number[],
): { readonly name: string; readonly branch: ReadonlyMap<Constant, number> } | undefined {
  const first = branches[objects[0]!]!
  if (first.kind !== 'object') return undefined
  for (const { name } of first.properties) {
    const branch = new Map<Constant, number>()
    const all = objects.every((index) => {
      const plan = branches[index]!
      if (plan.kind !== 'object') return false
      const property = plan.properties.find((one) => one.name === name)
      if (property === undefined || property.optional) return false
      const values = constantsOf(property.plan)
      if (values.length === 0 || values.some((value) => branch.has(value))) return false
      for (const value of values) branch.set(value, index)
      return true
    })
    // An absent property reads as undefined.
    if (all && !branch.has(undefined)) return { name, branch }
  }
  return undefined
}

function constantsOf(plan: Plan): readonly Constant[] {
  return plan.kind === 'constant' ? [plan.value] : plan.kind === 'enum' ? plan.values : []
}

function classesOf(plan: Plan, seen: Set<Plan>): number {
  switch (plan.kind) {
    case 'object':
    case 'record':
      return classes.object
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return classes[plan.kind]
    case 'integer':
      return classes.number
    case 'timestamp':
      return classes.date
    case 'bytes':
      return classes.bytes
    case 'array':
    case 'tuple':
      return classes.array
    case 'constant':
    case 'enum':
      return constantsOf(plan).reduce<number>((mask, value) => mask | classOf(value), 0)
    case 'packed':
      return everything
    case 'union':
      if (seen.has(plan)) return 0
      seen.add(plan)
      return plan.branches.reduce((mask, branch) => mask | classesOf(branch, seen), 0)
  }
}

function classOf(value: unknown): number {
  const type = typeof value
  switch (type) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'undefined':
      return classes[type]
    default:
      if (value === null) return classes.null
      if (Array.isArray(value)) return classes.array
      if (value instanceof Uint8Array) return classes.bytes
      return value instanceof Date ? classes.date : classes.object
  }
}

/** Deeper than this no value travels. */
const deepest = 256

/**
 * How many properties a plan leaves behind of a value that it can carry; Infinity if it cannot.
 * Zero: all of the value comes back.
 */
function fit(plan: Plan, value: unknown, depth: number): number {
  if (depth > deepest) return Infinity
  switch (plan.kind) {
    case 'packed':
      return 0
    case 'constant':
      return value === plan.value ? 0 : Infinity
    case 'enum':
      return plan.values.includes(value as Constant) ? 0 : Infinity
    case 'union':
      return plan.branches.reduce(
        (least, branch) => Math.min(least, fit(branch, value, depth)),
        Infinity,
      )
    case 'object':
      return fitObject(plan.properties, value, depth)
    case 'record':
      return isRecord(value) ? fitAll(plan.value, definedValues(value), depth) : Infinity
    case 'array':
      if (!Array.isArray(value) || value.length > plan.maxItems) return Infinity
      return fitAll(plan.item, value, depth)
    case 'tuple':
      if (!Array.isArray(value) || value.length !== plan.items.length) return Infinity
      return plan.items.reduce((sum, item, index) => sum + fit(item, value[index], depth + 1), 0)
    default:
      return fitsScalar(plan, value) ? 0 : Infinity
  }
}

function fitAll(plan: Plan, values: readonly unknown[], depth: number): number {
  let sum = 0
  for (const value of values) {
    sum += fit(plan, value, depth + 1)
    if (sum === Infinity) break
  }
  return sum
}

function fitObject(
  properties: Extract<Plan, { kind: 'object' }>['properties'],
  value: unknown,
  depth: number,
): number {
  if (!isRecord(value)) return Infinity
  let left = 0
  let named = 0
  for (const { name, plan, optional } of properties) {
    const entry = own(value, name)
    if (entry === undefined && optional) continue
    left += fit(plan, entry, depth + 1)
    if (left === Infinity) return left
    if (entry !== undefined) named += 1
  }
  // Fewer than were found, if a class has some of them for its objects.
  return left + Math.max(0, definedValues(value).length - named)
}

/** A property that is undefined is absent. */
function definedValues(value: object): readonly unknown[] {
  return Object.values(value).filter((entry) => entry !== undefined)
}

function fitsScalar(plan: Plan, value: unknown): boolean {
  switch (plan.kind) {
    case 'string':
      return typeof value === 'string' && isWellFormed(value)
    case 'boolean':
    case 'bigint':
      return typeof value === plan.kind
    case 'number':
      return Number.isFinite(value)
    case 'integer':
      return Number.isSafeInteger(value) && (!plan.unsigned || (value as number) >= 0)
    case 'bytes':
      return value instanceof Uint8Array && value.length <= plan.maxLength
    case 'timestamp':
      return value instanceof Date && Math.abs(value.getTime()) <= mostTime
    default:
      return false
  }
}

/** A copy of a value that fits, without what the plan leaves behind. */
function keep(plan: Plan, value: unknown): unknown {
  switch (plan.kind) {
    case 'union':
      return keep(plan.branches[choiceOf(plan).of(value)]!, value)
    case 'array':
      return (value as readonly unknown[]).map((item) => keep(plan.item, item))
    case 'tuple':
      return plan.items.map((item, index) => keep(item, (value as readonly unknown[])[index]))
    case 'record': {
      const entries = Object.entries(value as object) as [string, unknown][]
      return Object.fromEntries(
        entries.map(([key, entry]) => [key, entry === undefined ? entry : keep(plan.value, entry)]),
      )
    }
    case 'object': {
      const copy: Record<string, unknown> = {}
      for (const property of plan.properties) {
        const entry = own(value as object, property.name)
        if (entry !== undefined) copy[property.name] = keep(property.plan, entry)
      }
      return copy
    }
    default:
      return value
  }
}

/** An object that is neither a list nor anything with an inner life of its own. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return Object.prototype.toString.call(value) === '[object Object]'
}

const inherited: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype))

/** True for a name that every object inherits: only a value's own property counts. */
export function isInherited(name: string): boolean {
  return inherited.has(name)
}

/** A property of a value; undefined for what every object inherits. */
export function own(value: object, name: string): unknown {
  if (isInherited(name) && !Object.hasOwn(value, name)) return undefined
  return (value as Readonly<Record<string, unknown>>)[name]
}
