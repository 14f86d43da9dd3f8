// What the two generators share: lines of code, constants, which parts are functions of their own.
//   in  -> a plan, limits
//   out -> a `Program` for each codec, a `Lines` for each function

import type { GuardLimits } from '../guard.ts'
import { partsOf, reachable, type Plan, type Property } from './plan.ts'

/** Parts that weigh more than this get a function of their own: V8 optimizes no giant ones. */
const heavy = 80

export class Program {
  readonly limits: GuardLimits
  readonly constants: unknown[] = []
  /** Plans that are functions, by the numbers of these. Grows while their code is written. */
  readonly names: Map<Plan, number> = new Map()
  /** Whether depth must be looked at: where it can go beyond `maxDepth` at all. */
  readonly deep: boolean
  private readonly apart = new Set<Plan>()
  private variables = 0

  constructor(root: Plan, limits: GuardLimits) {
    this.limits = limits
    const counts = new Map<Plan, number>([[root, 1]])
    for (const plan of reachable(root))
      for (const part of partsOf(plan)) counts.set(part, (counts.get(part) ?? 0) + 1)
    for (const [plan, count] of counts)
      if (plan === root || (count > 1 && partsOf(plan).length > 0)) this.apart.add(plan)
    this.weigh(root, new Set())
    this.deep = heightOf(root, new Map()) > limits.maxDepth
    this.nameOf(root)
  }

  /** Marks what is too large to stand inside of another function. */
  private weigh(plan: Plan, seen: Set<Plan>): number {
    if (seen.has(plan)) return 1
    seen.add(plan)
    let weight = 2
    for (const part of partsOf(plan)) weight += this.weigh(part, seen)
    if (this.apart.has(plan)) return 1
    if (weight <= heavy) return weight
    this.apart.add(plan)
    return 1
  }

  isApart(plan: Plan): boolean {
    return this.apart.has(plan)
  }

  nameOf(plan: Plan): number {
    let name = this.names.get(plan)
    if (name === undefined) this.names.set(plan, (name = this.names.size))
    return name
  }

  constant(value: unknown): string {
    this.constants.push(value)
    return `k${this.constants.length - 1}`
  }

  variable(): string {
    return `x${this.variables++}`
  }
}

/** A run of writes that shares one check for room; how much is known when all of it is written. */
export class Room {
  bytes = 0

  toString(): string {
    return String(this.bytes)
  }
}

/** One line; text of names is never searched for anything, so rooms stand in it as objects. */
type Line = readonly (string | Room)[]

/** The body of one function. */
export class Lines {
  protected readonly program: Program
  private readonly lines: Line[] = []

  constructor(program: Program) {
    this.program = program
  }

  protected emit(...line: Line): void {
    this.lines.push(line)
  }

  protected body(): string {
    return this.lines.map((line) => line.join('')).join('\n')
  }

  protected spend(nodes: number | string): void {
    this.emit(`if ((run.left -= ${nodes}) < 0) bad()`)
  }

  /** A container begins. */
  protected enter(depth: number): void {
    const { deep, limits } = this.program
    if (deep) this.emit(`if (d + ${depth} >= ${limits.maxDepth}) bad()`)
  }
}

/** Whether whoever holds such a value counts its node: a container counts itself. */
export function isCounted({ kind }: Plan): boolean {
  switch (kind) {
    case 'object':
    case 'array':
    case 'tuple':
    case 'record':
    case 'union':
    case 'packed':
      return false
    default:
      return true
  }
}

/** Of an object: itself, the required keys and the scalars behind them. */
export function nodesOf(properties: readonly Property[]): number {
  return properties.reduce(
    (sum, { plan, optional }) => (optional ? sum : sum + (isCounted(plan) ? 2 : 1)),
    1,
  )
}

/** Containers inside of each other, at most; Infinity for a plan that leads back to itself. */
function heightOf(plan: Plan, known: Map<Plan, number>): number {
  let height = known.get(plan)
  if (height === undefined) {
    known.set(plan, Infinity)
    const below = Math.max(0, ...partsOf(plan).map((part) => heightOf(part, known)))
    const own = isCounted(plan) || plan.kind === 'union' || plan.kind === 'packed' ? 0 : 1
    known.set(plan, (height = below + own))
  }
  return height
}
