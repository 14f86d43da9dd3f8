// A schema as a graph: which schemas it applies, to the same value or to what is in it.
//   in  -> a schema of TypeBox
//   out -> its steps to other schemas, references included
// Goes by the keywords of JSON Schema that TypeBox checks, so by no `~kind`: a schema that came by
// T.Unsafe or by hand is walked like any other. Values (`const`, `default`) are no schemas.

export interface Step {
  readonly to: object
  /** `here` checks the same value once more; `below` one of its entries; `aside` only defines. */
  readonly where: 'here' | 'below' | 'aside'
  readonly keyword: string
  /** Of a property, a definition or a pattern; the index in a list. */
  readonly name?: string
}

interface Keyword {
  readonly keyword: string
  readonly where: Step['where']
}

const place = (where: Step['where'], ...keywords: string[]): Keyword[] =>
  keywords.map((keyword) => ({ keyword, where }))

/** In the order in which TypeBox applies them. */
const keywords: readonly Keyword[] = [
  ...place('below', 'additionalProperties'),
  ...place('here', 'dependencies', 'dependentSchemas'),
  ...place('below', 'patternProperties', 'properties', 'propertyNames'),
  ...place('below', 'additionalItems', 'contains', 'items', 'prefixItems'),
  ...place('here', 'if', 'then', 'else', 'not', 'allOf', 'anyOf', 'oneOf'),
  ...place('below', 'unevaluatedItems', 'unevaluatedProperties'),
  ...place('aside', '$defs', 'definitions'),
]

const ofMaps: ReadonlySet<string> = new Set([
  'dependencies',
  'dependentSchemas',
  'patternProperties',
  'properties',
  '$defs',
  'definitions',
])

/** A keyword of a schema, whatever it holds. */
export function valueOf(schema: object, keyword: string): unknown {
  return Object.hasOwn(schema, keyword) ? (schema as Record<string, unknown>)[keyword] : undefined
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** The schemas of one root: what `T.Cyclic` and other references mean in it. */
export class SchemaGraph {
  private readonly root: object
  private readonly byName = new Map<string, object>()
  private readonly known = new Map<object, readonly Step[]>()
  /** False where every schema stands at one place only, and nothing can lead back. */
  private shared = false

  constructor(root: object) {
    this.root = root
    const visit = (schema: object): void => {
      this.shared ||= this.known.has(schema) || typeof valueOf(schema, '$ref') === 'string'
      if (this.known.has(schema)) return
      const steps = ownSteps(schema)
      this.known.set(schema, steps)
      const id = valueOf(schema, '$id')
      if (typeof id === 'string') this.define(id, schema)
      for (const { to, where, name } of steps) {
        if (where === 'aside' && name !== undefined) this.define(name, to)
        visit(to)
      }
    }
    visit(root)
  }

  steps(schema: object): readonly Step[] {
    const steps = this.known.get(schema) ?? []
    const to = this.target(schema)
    return to === undefined ? steps : [...steps, { to, where: 'here', keyword: '$ref' }]
  }

  /** What a `$ref` of this schema leads to. */
  target(schema: object): object | undefined {
    const ref = valueOf(schema, '$ref')
    if (typeof ref !== 'string') return undefined
    return ref === '#' ? this.root : this.byName.get(ref.slice(ref.lastIndexOf('/') + 1))
  }

  /** True if checking `from` comes back to `to`, also where both are the same. */
  leads(from: object, to: object): boolean {
    if (!this.shared) return from === to
    const seen = new Set<object>()
    const open = [from]
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (one === to) return true
      if (seen.has(one)) continue
      seen.add(one)
      for (const step of this.steps(one)) if (step.where !== 'aside') open.push(step.to)
    }
    return false
  }

  /** Every schema that a reference can name. */
  definitions(): Readonly<Record<string, object>> {
    return Object.fromEntries(this.byName)
  }

  private define(name: string, schema: object): void {
    if (!this.byName.has(name)) this.byName.set(name, schema)
  }
}

function ownSteps(schema: object): Step[] {
  const steps: Step[] = []
  for (const { keyword, where } of keywords) {
    const value = valueOf(schema, keyword)
    if (!isObject(value)) continue
    if (!Array.isArray(value) && !ofMaps.has(keyword)) steps.push({ to: value, where, keyword })
    else
      for (const [name, to] of Object.entries(value) as [string, unknown][])
        if (isObject(to) && !Array.isArray(to)) steps.push({ to, where, keyword, name })
  }
  return steps
}
