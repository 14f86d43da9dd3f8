// Finds what makes the schemas of a contract dangerous or slow to check.
//   in  -> a contract
//   out -> the problems, each with the path of its schema
// For servers and tests: nothing that a browser bundles imports it. What makes a contract impossible
// is refused by `contract()` itself.

import { methodsOf, type AnyContract, type NamedMethod } from './contract.ts'
import { slowPattern } from './lint-pattern.ts'
import { SchemaGraph, isObject, valueOf, type Step } from './graph.ts'
import { slowUnion } from './lint-union.ts'

/** The rules of the linter; docs/guide/contract-lint.md explains each. */
export type LintRule =
  | 'pattern-length'
  | 'slow-pattern'
  | 'invalid-pattern'
  | 'slow-union'
  | 'inherited-name'
  | 'ambiguous-ref'

/** One finding. */
export interface ContractProblem {
  readonly rule: LintRule
  /** Where, such as `lobby.create.input.name`; `[]` are items, `*` are values of a record. */
  readonly path: string
  readonly message: string
}

/** Longest text for a pattern, in characters. */
const maxPatternLength = 256

/**
 * What is wrong with the schemas of a contract, in the order of its methods: patterns and unions
 * whose check may take long, names of properties that every object inherits, references that mean
 * two things. Empty for a good contract. `unsafePattern: true` and `unsafeUnion: true` in a schema
 * turn the rules off that they name. `implement` of `@callbox/server` refuses a contract with
 * problems.
 */
export function lintContract(contract: AnyContract): readonly ContractProblem[] {
  const { name } = contract['~contract']
  const { methods, client } = methodsOf(contract)
  const linter = new Linter()
  for (const method of methods) linter.method(`${name}.${method.name}`, method)
  for (const method of client) linter.method(`${name}.client.${method.name}`, method)
  return linter.problems
}

/** Throws TypeError that names every problem of a contract. */
export function refuseProblems(contract: AnyContract): void {
  const problems = lintContract(contract)
  if (problems.length === 0) return
  const lines = problems.map(({ path, message }) => `  ${path}: ${message}`)
  throw new TypeError(`contract '${contract['~contract'].name}':\n${lines.join('\n')}`)
}

class Linter {
  readonly problems: ContractProblem[] = []
  // A schema that several methods share is looked at once. Ends cycles as well.
  private readonly seen = new Set<object>()

  method(path: string, { method }: NamedMethod): void {
    const { input, output, params, cursor, errors } = method
    for (const [part, schema] of Object.entries({ params, input, output, cursor }))
      if (schema !== undefined) this.root(`${path}.${part}`, schema)
    for (const [tag, schema] of Object.entries(errors ?? {})) {
      this.name(`${path}.errors.${tag}`, tag)
      this.root(`${path}.errors.${tag}`, schema)
    }
  }

  private root(path: string, schema: object): void {
    this.references(path, schema)
    this.schema(new SchemaGraph(schema), path, schema)
  }

  private schema(graph: SchemaGraph, path: string, schema: object): void {
    if (this.seen.has(schema)) return
    this.seen.add(schema)
    this.pattern(path, schema)
    this.keyPatterns(path, schema)
    this.names(path, schema)
    const why = valueOf(schema, 'unsafeUnion') === true ? undefined : slowUnion(graph, schema)
    if (why !== undefined)
      this.report('slow-union', path, `${why}; if it is safe, say unsafeUnion: true`)
    for (const step of graph.steps(schema)) this.schema(graph, path + segment(step), step.to)
  }

  private pattern(path: string, schema: object): void {
    const pattern = valueOf(schema, 'pattern')
    if (pattern === undefined || valueOf(schema, 'unsafePattern') === true) return
    const maxLength = valueOf(schema, 'maxLength')
    const known = typeof maxLength === 'number' && maxLength <= maxPatternLength
    if (!known)
      this.report(
        'pattern-length',
        path,
        `pattern needs maxLength <= ${maxPatternLength}; if it is safe, say unsafePattern: true`,
      )
    this.slow(path, pattern, known ? maxLength : maxPatternLength)
  }

  /** Nothing limits the length of keys: their patterns must be linear. */
  private keyPatterns(path: string, schema: object): void {
    const patterns = valueOf(schema, 'patternProperties')
    if (!isObject(patterns) || valueOf(schema, 'unsafePattern') === true) return
    for (const pattern of Object.keys(patterns)) this.slow(path, pattern, Infinity)
  }

  private slow(path: string, pattern: unknown, maxLength: number): void {
    let expression: RegExp
    try {
      // As TypeBox does it.
      expression = pattern instanceof RegExp ? pattern : new RegExp(String(pattern), 'u')
    } catch {
      this.report('invalid-pattern', path, `pattern ${String(pattern)} is no regular expression`)
      return
    }
    const why = slowPattern(expression, maxLength)
    if (why !== undefined)
      this.report('slow-pattern', path, `pattern ${why}; if it is safe, say unsafePattern: true`)
  }

  private names(path: string, schema: object): void {
    const properties = valueOf(schema, 'properties')
    const required = valueOf(schema, 'required')
    const names = new Set([
      ...(isObject(properties) ? Object.keys(properties) : []),
      ...(Array.isArray(required) ? required.map(String) : []),
    ])
    for (const name of names) this.name(`${path}.${name}`, name)
  }

  private name(path: string, name: string): void {
    if (name in Object.prototype)
      this.report('inherited-name', path, `every object inherits ${name}: use another name`)
  }

  /**
   * TypeBox looks a reference up in the whole schema: of two `T.Cyclic` that define the same name in
   * different ways, one is checked as the other (TypeBox 1.4).
   */
  private references(path: string, root: object): void {
    const found = new Map<string, object>()
    const seen = new Set<object>()
    const graph = new SchemaGraph(root)
    const visit = (at: string, schema: object): void => {
      if (seen.has(schema)) return
      seen.add(schema)
      const id = valueOf(schema, '$id')
      const first = typeof id === 'string' ? found.get(id) : undefined
      if (typeof id === 'string' && first === undefined) found.set(id, schema)
      if (first !== undefined && !alike(first, schema))
        this.report('ambiguous-ref', at, `${String(id)} is defined twice: give one another name`)
      for (const step of graph.steps(schema)) visit(at + segment(step), step.to)
    }
    visit(path, root)
  }

  private report(rule: LintRule, path: string, message: string): void {
    this.problems.push({ rule, path, message })
  }
}

function segment({ keyword, name }: Step): string {
  switch (keyword) {
    case 'properties':
      return `.${name}`
    case 'patternProperties':
    case 'additionalProperties':
      return '.*'
    case 'items':
      return `[${name ?? ''}]`
    case '$ref':
      return ''
    default:
      return name === undefined ? `.${keyword}` : `.${keyword}.${name}`
  }
}

function alike(one: object, other: object): boolean {
  const text = (schema: object): string =>
    JSON.stringify(schema, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  return text(one) === text(other)
}
