// Says which rule of a schema a value breaks, in time that is linear in the value.
//   in  -> a schema, and a value that is known not to fit
//   out -> what TypeBox says about the innermost part that does not fit
// TypeBox's own list of errors is not safe for what a peer sent (1.4): it follows every branch of a
// union, so that each level of a recursive one doubles the work; it goes on after the first wrong item
// of an array; and it tries a pattern on text that is longer than `maxLength`. So the part is found
// here, by checks that stop early, and TypeBox is asked about that part alone.

import { SchemaGraph, isObject, valueOf, type Step } from './contract/graph.ts'

/** What TypeBox says of one broken rule; `message` speaks of the schema, never of the value. */
export interface Finding {
  readonly keyword: string
  readonly schemaPath: string
  readonly instancePath: string
  readonly message: string
  readonly params: object
}

/** What TypeBox does here; handed in, so that this file brings no validator. */
export interface Tools {
  /** A fast check. `definitions` are what references may name. */
  compile(
    definitions: Readonly<Record<string, object>>,
    schema: object,
  ): { Check(value: unknown): boolean }
  /** A check that needs no preparation. */
  check(schema: object, value: unknown): boolean
  errors(schema: object, value: unknown): readonly Finding[]
}

/** A schema that a value does not fit, and where. */
interface Place {
  readonly schema: object
  readonly value: unknown
  readonly path: string
}

/** Where several branches of unions may have been meant, so many in all are looked into. */
const mostBranches = 16

/** Far deeper than what a codec lets through; ends cycles of values. */
const deepest = 512

/** Explains values by one schema; what it compiles is kept. */
export class Explainer {
  private readonly root: object
  private readonly tools: Tools
  private readonly graph: SchemaGraph
  private readonly definitions: Readonly<Record<string, object>>
  private readonly checks = new Map<object, (value: unknown) => boolean>()
  private readonly marks = new Map<object, object>()
  private branches = 0

  constructor(root: object, tools: Tools) {
    this.root = root
    this.tools = tools
    this.graph = new SchemaGraph(root)
    this.definitions = this.graph.definitions()
  }

  /** Empty where TypeBox has no words, such as for `not`. */
  findings(value: unknown): readonly Finding[] {
    this.branches = 0
    const { schema, value: part, path } = this.innermost({ schema: this.root, value, path: '' })
    return this.tools.errors(this.alone(schema, part), part).map((finding) => ({
      ...finding,
      instancePath: path + finding.instancePath,
    }))
  }

  private innermost(start: Place): Place {
    let place = start
    for (let depth = 0; depth < deepest; depth += 1) {
      const next = this.next(place)
      if (next === undefined) break
      place = next
    }
    return place
  }

  /** The first child that does not fit, or the branch of a union that was meant. */
  private next(place: Place): Place | undefined {
    const steps = this.graph.steps(place.schema)
    for (const step of steps) {
      const found = step.where === 'here' ? this.part(place, step) : this.entry(place, steps, step)
      if (found !== undefined) return found
    }
    return this.branch(place, steps)
  }

  private part({ value, path }: Place, { keyword, to }: Step): Place | undefined {
    if ((keyword !== 'allOf' && keyword !== '$ref') || this.fits(to, value)) return undefined
    return { schema: to, value, path }
  }

  private entry({ value, path }: Place, steps: readonly Step[], step: Step): Place | undefined {
    if (!isObject(value) || !followed.has(step.keyword)) return undefined
    for (const key of keysOf(value, steps, step)) {
      const child = valueOf(value, key)
      const fits =
        step.keyword === 'properties' && this.graph.steps(step.to).length === 0
          ? this.tools.check(step.to, child)
          : this.fits(step.to, child)
      if (!fits) return { schema: step.to, value: child, path: `${path}/${escaped(key)}` }
    }
    return undefined
  }

  private branch({ value, path }: Place, steps: readonly Step[]): Place | undefined {
    const branches = steps.filter(({ keyword }) => keyword === 'anyOf').map(({ to }) => to)
    if (branches.length === 0 || branches.some((to) => this.fits(to, value))) return undefined
    const meant = branches.filter((to) => this.tools.check(this.marksOf(to), value))
    if (meant.length === 1) return { schema: meant[0]!, value, path }
    let found: Place | undefined
    for (const schema of meant) {
      this.branches += 1
      if (this.branches > mostBranches) break
      const inner = this.innermost({ schema, value, path })
      if (inner.path.length > (found?.path ?? path).length) found = inner
    }
    return found
  }

  private fits(schema: object, value: unknown): boolean {
    let check = this.checks.get(schema)
    if (check === undefined) {
      const compiled = this.tools.compile(this.definitions, schema)
      check = (one) => compiled.Check(one)
      this.checks.set(schema, check)
    }
    return check(value)
  }

  /** What shows that a branch was meant: its type, and the literals in it. */
  private marksOf(branch: object): object {
    const target = this.graph.target(branch) ?? branch
    const known = this.marks.get(target)
    if (known !== undefined) return known
    const marks = {}
    // Set at once: references may lead to themselves.
    this.marks.set(target, marks)
    for (const keyword of ['type', 'const', 'enum'])
      if (Object.hasOwn(target, keyword)) assign(marks, keyword, valueOf(target, keyword))
    this.addChildren(marks, target, (child) => this.marksOf(child))
    return marks
  }

  /** A schema that says the same of the value itself, but of its entries no more than literals. */
  private alone(schema: object, value: unknown, above: readonly object[] = []): object {
    const target = this.graph.target(schema) ?? schema
    if (above.includes(target)) return {}
    const copy = {}
    // Hidden properties are kept: refinements are among them.
    for (const keyword of Reflect.ownKeys(target)) {
      const own = Object.getOwnPropertyDescriptor(target, keyword)
      const skipped =
        (rest.has(keyword) && isObject(own?.value)) ||
        (slow.has(keyword) && typeof value === 'string' && !isWithin(target, value))
      if (own !== undefined && !dropped.has(keyword) && !skipped)
        Object.defineProperty(copy, keyword, { ...own, configurable: true })
    }
    this.addChildren(copy, target, (child) => this.alone(child, value, [...above, target]))
    return copy
  }

  private addChildren(to: object, schema: object, part: (child: object) => object): void {
    const steps = this.graph.steps(schema)
    for (const keyword of ['anyOf', 'allOf']) {
      const children = steps.filter((step) => step.keyword === keyword)
      if (children.length > 0)
        assign(
          to,
          keyword,
          children.map((step) => part(step.to)),
        )
    }
    for (const keyword of ['properties', 'patternProperties']) {
      const children = steps.filter((step) => step.keyword === keyword)
      const entries = children.map((step) => [step.name, this.literal(step.to)] as const)
      if (entries.length > 0) assign(to, keyword, Object.fromEntries(entries))
    }
    const items = steps.filter(({ keyword, name }) => keyword === 'items' && name !== undefined)
    if (items.length > 0)
      assign(
        to,
        'items',
        items.map((step) => this.literal(step.to)),
      )
  }

  /** The schema itself if it is a literal; else one that everything fits. */
  private literal(schema: object): object {
    const target = this.graph.target(schema) ?? schema
    const branches = valueOf(target, 'anyOf')
    const options: unknown[] = Array.isArray(branches) ? branches : [target]
    const all = options.every((one) => isObject(one) && ('const' in one || 'enum' in one))
    return all ? target : {}
  }
}

const followed: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  'additionalProperties',
  'items',
  'prefixItems',
  'additionalItems',
])

/** `false` speaks of the value, a schema of its entries. */
const rest: ReadonlySet<string | symbol> = new Set(['additionalProperties', 'additionalItems'])

/** Not tried on text that is too long anyway. */
const slow: ReadonlySet<string | symbol> = new Set(['pattern', 'format'])

/** What speaks of entries, or applies the schema in ways of which TypeBox lists no errors. */
const dropped: ReadonlySet<string | symbol> = new Set(
  (
    '$defs $id $ref if then else not oneOf anyOf allOf dependencies dependentSchemas properties ' +
    'patternProperties propertyNames contains minContains maxContains items prefixItems ' +
    'unevaluatedItems unevaluatedProperties'
  ).split(' '),
)

/** The entries of a value that a step is for. */
function* keysOf(value: object, steps: readonly Step[], step: Step): Generator<string> {
  const { keyword, name } = step
  if (Array.isArray(value)) {
    const listed = steps.filter((one) => one.keyword.endsWith('tems') && one.name !== undefined)
    const from = name === undefined ? listed.length : Number(name)
    const to = name === undefined ? value.length : Math.min(value.length, from + 1)
    if (keyword.endsWith('tems')) for (let at = from; at < to; at += 1) yield `${at}`
    return
  }
  if (keyword === 'properties' && name !== undefined) {
    if (Object.hasOwn(value, name)) yield name
    return
  }
  if (keyword === 'patternProperties' && name !== undefined) {
    const pattern = new RegExp(name, 'u')
    for (const key of Object.keys(value)) if (pattern.test(key)) yield key
    return
  }
  if (keyword !== 'additionalProperties') return
  const named = new Set(steps.filter((one) => one.keyword === 'properties').map((one) => one.name))
  const patterns = steps
    .filter((one) => one.keyword === 'patternProperties')
    .map((one) => new RegExp(one.name ?? '', 'u'))
  for (const key of Object.keys(value))
    if (!named.has(key) && !patterns.some((pattern) => pattern.test(key))) yield key
}

/** As TypeBox counts: code points. */
function isWithin(schema: object, text: string): boolean {
  const maxLength = valueOf(schema, 'maxLength')
  if (typeof maxLength !== 'number' || text.length <= maxLength) return true
  return text.length <= maxLength * 2 && Array.from(text).length <= maxLength
}

function assign(to: object, key: string, value: unknown): void {
  Object.defineProperty(to, key, { value, enumerable: true, configurable: true, writable: true })
}

/** As in a JSON pointer (RFC 6901, section 3). */
function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
