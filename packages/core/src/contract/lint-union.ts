// Says whether a recursive schema can be checked in linear time.
//   in  -> a schema and the graph around it
//   out -> why not, or undefined
// What checks the same value in two ways, each of which leads back to itself, does so at every depth:
// twice as long per level. A union does not, where each value fits one branch only and says so before
// anything recursive is looked at: by its type, or by a literal that stands first, for TypeBox checks
// properties in their order.

import { isObject, valueOf, type SchemaGraph, type Step } from './graph.ts'

/** Why checking may take exponential time, or undefined. */
export function slowUnion(graph: SchemaGraph, schema: object): string | undefined {
  const back = graph
    .steps(schema)
    .filter((step) => step.where !== 'aside' && graph.leads(step.to, schema))
  const here = back.filter((step) => step.where === 'here')
  const twice = repeatedly(back.filter((step) => step.where === 'below'))
  if (twice !== undefined) return `${twice} lead back to it, each for the same entry`
  if (here.length === 0 || back.length < 2) return undefined
  if (here.length === back.length && here.every(({ keyword }) => keyword === 'anyOf'))
    return undistinguished(graph, schema, here)
  if (back.every(({ keyword, where }) => keyword === 'allOf' || where === 'below'))
    return apart(graph, schema, back)
  const names = [...new Set(back.map(({ keyword }) => keyword))].join(' and ')
  return `leads back to itself by ${names}, more than once for the same value`
}

/** Keywords that take every entry, whatever others take. */
const greedy: ReadonlySet<string> = new Set([
  'patternProperties',
  'contains',
  'unevaluatedItems',
  'unevaluatedProperties',
])

/** Two ways by which one schema checks the same entry. */
function repeatedly(below: readonly Step[]): string | undefined {
  if (below.length < 2 || !below.some(({ keyword }) => greedy.has(keyword))) return undefined
  return [...new Set(below.map(({ keyword }) => keyword))].join(' and ')
}

/** Parts of an intersection all check the value: never the same property twice. */
function apart(graph: SchemaGraph, schema: object, back: readonly Step[]): string | undefined {
  const taken = new Set<string>()
  for (const step of back) {
    const own = step.where === 'below' ? [step] : graph.steps(follow(graph, step.to))
    for (const { keyword, name, to } of own) {
      if (!graph.leads(to, schema)) continue
      if (keyword !== 'properties' || name === undefined || taken.has(name))
        return `two parts of it lead back to it${name === undefined ? '' : ` by ${name}`}`
      taken.add(name)
    }
  }
  return undefined
}

function undistinguished(
  graph: SchemaGraph,
  schema: object,
  back: readonly Step[],
): string | undefined {
  const branches = back.flatMap(({ to }) => flattened(graph, to, new Set()))
  const recursive = branches.filter((branch) => graph.leads(branch, schema))
  for (const [at, one] of recursive.entries())
    for (const other of recursive.slice(at + 1)) {
      const why = alike(graph, schema, one, other)
      if (why !== undefined) return why
    }
  return undefined
}

/** Branches of unions in unions, and what references mean. */
function flattened(graph: SchemaGraph, branch: object, seen: Set<object>): object[] {
  const target = follow(graph, branch)
  if (seen.has(target)) return []
  seen.add(target)
  const nested = graph.steps(target)
  if (nested.length === 0 || !nested.every(({ keyword }) => keyword === 'anyOf')) return [target]
  return nested.flatMap(({ to }) => flattened(graph, to, seen))
}

function follow(graph: SchemaGraph, schema: object): object {
  const seen = new Set<object>()
  let target = schema
  for (let next = graph.target(target); next !== undefined; next = graph.target(target)) {
    if (seen.has(target)) break
    seen.add(target)
    target = next
  }
  return target
}

/** Why a value may get through to what is recursive in both branches. */
function alike(graph: SchemaGraph, schema: object, one: object, other: object): string | undefined {
  const types = [one, other].map((branch) => [valueOf(branch, 'type')].flat())
  if (types[0]!.every((type) => type !== undefined && !types[1]!.includes(type))) return undefined
  const [literals, others] = [literalsOf(graph, schema, one), literalsOf(graph, schema, other)]
  let late: string | undefined
  for (const [name, { values, after }] of literals) {
    const same = others.get(name)
    if (same === undefined || same.values.some((value) => values.includes(value))) continue
    if (after === undefined && same.after === undefined) return undefined
    late = `the literal ${name} stands after ${after ?? same.after}, which leads back to it: put ${name} first`
  }
  return late ?? 'two of its branches lead back to it, and no required literal tells them apart'
}

interface Literal {
  readonly values: readonly unknown[]
  /** What is recursive and is checked before. */
  readonly after: string | undefined
}

/** The required entries of a branch that are literals. */
function literalsOf(
  graph: SchemaGraph,
  schema: object,
  branch: object,
): ReadonlyMap<string, Literal> {
  const found = new Map<string, Literal>()
  const steps = graph.steps(branch)
  const first = steps[0]
  // Of an intersection that has nothing of its own, the first part is checked first.
  if (first?.keyword === 'allOf') return literalsOf(graph, schema, follow(graph, first.to))
  let after: string | undefined
  for (const { keyword, name, to } of steps) {
    const values = literalValues(graph, to)
    if (name !== undefined && values !== undefined && isRequired(branch, keyword, name))
      found.set(name, { values, after })
    if (after === undefined && graph.leads(to, schema)) after = name ?? keyword
  }
  return found
}

function isRequired(branch: object, keyword: string, name: string): boolean {
  const [required, minItems] = [valueOf(branch, 'required'), valueOf(branch, 'minItems')]
  if (keyword === 'properties') return Array.isArray(required) && required.includes(name)
  return keyword === 'items' && typeof minItems === 'number' && minItems > Number(name)
}

/** The values of a literal, an enumeration or a union of literals. */
function literalValues(graph: SchemaGraph, schema: object): readonly unknown[] | undefined {
  const target = follow(graph, schema)
  if (Object.hasOwn(target, 'const')) return [valueOf(target, 'const')]
  const options = valueOf(target, 'enum')
  if (Array.isArray(options)) return options as readonly unknown[]
  const branches = valueOf(target, 'anyOf')
  if (!Array.isArray(branches)) return undefined
  const values = branches.map((one: unknown) =>
    isObject(one) && Object.hasOwn(one, 'const') ? valueOf(one, 'const') : undefined,
  )
  return values.includes(undefined) ? undefined : values
}
