// The compact codec of a plan as generated code: one function for each way, no calls for what is
// small. Its refusals do not say where; whoever wants to know runs the closures on the same input.
//   in  -> a plan, limits
//   out -> a reader and a writer, in bytes and verdicts the same as those of `closures.ts`
// The source holds names and constants of the own schema only, as JSON; nothing of a peer's. Throws
// EvalError where code generation is forbidden.

import type { GuardLimits } from '../guard.ts'
import { choiceOf, isInherited, isRecord, own } from './choice.ts'
import { checkKey, entriesOf, flagsOf } from './entries.ts'
import { readPacked, writePacked } from './packed.ts'
import { partsOf, reachable, type Plan, type Property } from './plan.ts'
import { indexesOf, readBoolean, readListed, writeBinary, type Closures } from './scalars.ts'
import { leastOf } from './size.ts'
import {
  mostTime,
  putFloat,
  putVarint,
  putZigzag,
  readBigint,
  readBytes,
  readCount,
  readFloat,
  readText,
  readTimestamp,
  readVarint,
  readZigzag,
  Refusal,
  run,
  widestVarint,
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
  const { source, constants } = new Generator(plan, limits).finish()
  // oxlint-disable-next-line typescript/no-implied-eval -- of the own schema; see above
  const factory = new Function('h', 'k', source) as Factory
  return factory(helpers, constants)
}

/** Parts that weigh more than this get a function of their own: V8 optimizes no giant ones. */
const heavy = 80

/** A run of writes that shares one check for room; how much is known when all of it is written. */
class Room {
  bytes = 0

  toString(): string {
    return String(this.bytes)
  }
}

/** One line; text of names is never searched for anything, so rooms stand in it as objects. */
type Line = readonly (string | Room)[]

class Generator {
  private readonly limits: GuardLimits
  private readonly root: Plan
  private readonly constants: unknown[] = []
  private readonly names = new Map<Plan, number>()
  private readonly apart = new Set<Plan>()
  private readonly deep: boolean
  private lines: Line[] = []
  private variables = 0
  private room: Room | undefined

  constructor(root: Plan, limits: GuardLimits) {
    this.root = root
    this.limits = limits
    const counts = new Map<Plan, number>([[root, 1]])
    for (const plan of reachable(root))
      for (const part of partsOf(plan)) counts.set(part, (counts.get(part) ?? 0) + 1)
    for (const [plan, count] of counts)
      if (plan === root || (count > 1 && partsOf(plan).length > 0)) this.apart.add(plan)
    this.weigh(root, new Set())
    this.deep = heightOf(root, new Map()) > limits.maxDepth
  }

  finish(): { source: string; constants: readonly unknown[] } {
    const functions: string[] = []
    this.nameOf(this.root)
    // Grows while it is walked.
    for (const [plan, name] of this.names) {
      functions.push(this.reader(plan, name), this.writer(plan, name))
    }
    const source = [
      '"use strict"',
      `const { ${Object.keys(helpers).join(', ')} } = h`,
      ...this.constants.map((_, index) => `const k${index} = k[${index}]`),
      ...functions,
      'return { read: r0, write: w0 }',
    ].join('\n')
    return { source, constants: this.constants }
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

  private nameOf(plan: Plan): number {
    let name = this.names.get(plan)
    if (name === undefined) this.names.set(plan, (name = this.names.size))
    return name
  }

  private constant(value: unknown): string {
    this.constants.push(value)
    return `k${this.constants.length - 1}`
  }

  private variable(): string {
    return `x${this.variables++}`
  }

  private emit(...line: Line): void {
    this.lines.push(line)
  }

  /** What was emitted since `lines` was emptied. */
  private body(): string {
    return this.lines.map((line) => line.join('')).join('\n')
  }

  private spend(nodes: number | string): void {
    this.emit(`if ((run.left -= ${nodes}) < 0) bad()`)
  }

  private enter(depth: number): void {
    if (this.deep) this.emit(`if (d + ${depth} >= ${this.limits.maxDepth}) bad()`)
  }

  // Reading: `b` bytes, `p` position, `e` end, `d` depth

  private reader(plan: Plan, name: number): string {
    this.lines = []
    if (isCounted(plan)) this.spend(1)
    const value = this.readForm(plan, 0)
    return [
      `function r${name}(b, p, e, d) {`,
      'let t = 0',
      this.body(),
      'run.at = p',
      `return ${value}`,
      '}',
    ].join('\n')
  }

  /** Emits what reads a value; answers the expression that has it. */
  private read(plan: Plan, depth: number): string {
    return this.apart.has(plan)
      ? this.readBy(`r${this.nameOf(plan)}(b, p, e, d + ${depth})`)
      : this.readForm(plan, depth)
  }

  private readBy(call: string): string {
    const value = this.variable()
    this.emit(`const ${value} = ${call}; p = run.at`)
    return value
  }

  private readForm(plan: Plan, depth: number): string {
    switch (plan.kind) {
      case 'object':
        return this.readObject(plan.properties, depth)
      case 'array':
        return this.readArray(plan.item, plan.maxItems, depth)
      case 'tuple':
        return this.readTuple(plan.items, depth)
      case 'record':
        return this.readRecord(plan.value, depth)
      case 'union':
        return this.readUnion(plan, depth)
      case 'packed':
        return this.readBy(`readPacked(b, p, e, d + ${depth}, ${this.constant(this.limits)})`)
      default:
        return this.readScalar(plan)
    }
  }

  private readScalar(plan: Plan): string {
    switch (plan.kind) {
      case 'integer':
        return this.readInteger(plan.unsigned)
      case 'string':
        return this.readBy('readText(b, p, e)')
      case 'number':
        return this.readBy('readFloat(b, p, e)')
      case 'bigint':
        return this.readBy('readBigint(b, p, e)')
      case 'boolean':
        return this.readBy('readBoolean(b, p, e)')
      case 'timestamp':
        return this.readBy('readTimestamp(b, p, e)')
      case 'bytes':
        return this.readBy(`readBytes(b, p, e, ${plan.maxLength})`)
      case 'enum': {
        const first = indexesOf(plan.values)
        return this.readBy(
          `readListed(b, p, e, ${this.constant(plan.values)}, ${this.constant(first)})`,
        )
      }
      case 'constant':
        return this.constant(plan.value)
      default:
        return 'undefined'
    }
  }

  private readInteger(unsigned: boolean): string {
    const value = this.variable()
    const small = unsigned ? 't' : '(t >>> 1) ^ -(t & 1)'
    const wide = unsigned ? 'readVarint(b, p, e)' : `readZigzag(b, p, e, ${2 ** 53 - 1})`
    this.emit(`let ${value}`)
    this.emit(`if (p < e && (t = b[p]) < 128) { p += 1; ${value} = ${small} }`)
    this.emit(`else { ${value} = ${wide}; p = run.at }`)
    return value
  }

  private readObject(properties: readonly Property[], depth: number): string {
    this.enter(depth)
    this.spend(nodesOf(properties))
    const flags = flagsOf(properties)
    const bits = this.readFlags(flags.count)
    const required: string[] = []
    const late: ((object: string) => void)[] = []
    for (const [index, { name, plan, optional }] of properties.entries()) {
      const key = JSON.stringify(name)
      const truth = flags.value[index]! < 0 ? undefined : bits(flags.value[index]!)
      if (!optional) {
        required.push(`${key}: ${truth ?? this.read(plan, depth + 1)}`)
        continue
      }
      const value = this.variable()
      const present = bits(flags.present[index]!)
      this.emit(`let ${value}`)
      this.emit(`if (${present}) {`)
      this.spend(isCounted(plan) ? 2 : 1)
      this.emit(`${value} = ${truth ?? this.read(plan, depth + 1)}`)
      if (mayBeUndefined(plan, new Set())) this.emit(`if (${value} === undefined) bad()`)
      this.emit(truth === undefined ? '}' : `} else if (${truth}) bad()`)
      late.push((object) => this.emit(`if (${present}) ${object}[${key}] = ${value}`))
    }
    const object = this.variable()
    // No property is called `__proto__`: `plan.ts` leaves such objects to msgpack.
    this.emit(`const ${object} = { ${required.join(', ')} }`)
    for (const assign of late) assign(object)
    return object
  }

  /** Reads the bits in front; answers what asks for one of them. */
  private readFlags(count: number): (index: number) => string {
    const bytes = Math.ceil(count / 8)
    if (bytes === 0) return () => 'false'
    this.emit(`if (e - p < ${bytes}) bad()`)
    const names = Array.from({ length: bytes }, () => this.variable())
    for (const [index, name] of names.entries()) this.emit(`const ${name} = b[p + ${index}]`)
    this.emit(`p += ${bytes}`)
    if ((count & 7) !== 0) this.emit(`if (${names.at(-1)} >> ${count & 7} !== 0) bad()`)
    return (index) => `(${names[index >> 3]} & ${1 << (index & 7)}) !== 0`
  }

  private readArray(item: Plan, maxItems: number, depth: number): string {
    this.enter(depth)
    this.spend(1)
    const count = this.readCount(maxItems, leastOf(item).bytes, leastOf(item).nodes)
    if (isCounted(item)) this.emit(`run.left -= ${count}`)
    const items = this.variable()
    const index = this.variable()
    this.emit(`const ${items} = []`)
    this.emit(`for (let ${index} = 0; ${index} < ${count}; ${index} += 1) {`)
    this.emit(`${items}.push(${this.read(item, depth + 1)})`)
    this.emit('}')
    return items
  }

  private readCount(most: number, bytes: number, nodes: number): string {
    return this.readBy(`readCount(b, p, e, ${most}, ${bytes}, ${nodes})`)
  }

  private readTuple(items: readonly Plan[], depth: number): string {
    this.enter(depth)
    this.spend(1 + items.filter(isCounted).length)
    const values = items.map((item) => this.read(item, depth + 1))
    const tuple = this.variable()
    this.emit(`const ${tuple} = [${values.join(', ')}]`)
    return tuple
  }

  private readRecord(value: Plan, depth: number): string {
    this.enter(depth)
    this.spend(1)
    const { maxKeys } = this.limits
    const least = leastOf(value)
    const count = this.readCount(maxKeys, least.bytes + 1, least.nodes + 1)
    const record = this.variable()
    const index = this.variable()
    const last = this.variable()
    this.emit(`const ${record} = {}; let ${last}`)
    this.emit(`for (let ${index} = 0; ${index} < ${count}; ${index} += 1) {`)
    this.spend(isCounted(value) ? 2 : 1)
    const key = this.readBy('readText(b, p, e)')
    this.emit(`checkKey(${key}, ${last})`)
    const entry = this.read(value, depth + 1)
    if (mayBeUndefined(value, new Set())) this.emit(`if (${entry} === undefined) bad()`)
    this.emit(`${record}[${key}] = ${entry}; ${last} = ${key}`)
    this.emit('}')
    return record
  }

  private readUnion(plan: Extract<Plan, { kind: 'union' }>, depth: number): string {
    const choice = choiceOf(plan)
    const branch = this.readInteger(true)
    const value = this.variable()
    this.emit(`let ${value}`)
    this.emit(`switch (${branch}) {`)
    for (const [index, part] of plan.branches.entries()) {
      this.emit(`case ${index}: {`)
      if (isCounted(part)) this.spend(1)
      this.emit(`${value} = ${this.read(part, depth)}`)
      if (!choice.certain(index))
        this.emit(`if (!${this.constant(choice)}.confirms(${index}, ${value})) bad()`)
      this.emit('break }')
    }
    this.emit('default: bad()')
    this.emit('}')
    return value
  }

  // Writing: `v` value, `o` sink, `b` its buffer, `p` position, `d` depth

  private writer(plan: Plan, name: number): string {
    this.lines = []
    this.room = undefined
    if (isCounted(plan)) this.spend(1)
    this.writeForm(plan, 'v', 0)
    return [
      `function w${name}(v, o, d) {`,
      'let b = o.buffer, p = o.position',
      this.body(),
      'o.position = p',
      '}',
    ].join('\n')
  }

  /** Makes sure of room for so many bytes more, together with others around it. */
  private fixed(bytes: number): void {
    if (this.room === undefined) {
      const room = (this.room = new Room())
      this.emit('if (b.length - p < ', room, ') {')
      this.emit('o.position = p; o.reserve(', room, '); b = o.buffer; p = o.position', '}')
    }
    this.room.bytes += bytes
  }

  /** A call that writes by itself, after which nothing is known of the room. */
  private writeBy(call: string): void {
    this.emit(`o.position = p; ${call}; b = o.buffer; p = o.position`)
    this.room = undefined
  }

  /** What may not run: room that is made in there is not there behind it. */
  private maybe(head: string, body: () => void, tail = '}'): void {
    const before = this.room
    this.emit(head)
    body()
    this.emit(tail)
    if (this.room !== before) this.room = undefined
  }

  private write(plan: Plan, value: string, depth: number): void {
    if (this.apart.has(plan)) this.writeBy(`w${this.nameOf(plan)}(${value}, o, d + ${depth})`)
    else this.writeForm(plan, value, depth)
  }

  private writeForm(plan: Plan, value: string, depth: number): void {
    switch (plan.kind) {
      case 'object':
        return this.writeObject(plan.properties, value, depth)
      case 'array':
        return this.writeArray(plan.item, plan.maxItems, value, depth)
      case 'tuple':
        return this.writeTuple(plan.items, value, depth)
      case 'record':
        return this.writeRecord(plan.value, value, depth)
      case 'union':
        return this.writeUnion(plan, value, depth)
      case 'packed':
        return this.writeBy(`writePacked(${value}, o, d + ${depth}, ${this.constant(this.limits)})`)
      default:
        return this.writeScalar(plan, value)
    }
  }

  private writeScalar(plan: Plan, value: string): void {
    switch (plan.kind) {
      case 'integer':
        return this.writeInteger(value, plan.unsigned)
      case 'string': {
        this.emit(`if (typeof ${value} !== "string") bad()`)
        const room = (this.room = new Room())
        this.emit(`o.position = p; writeText(o, ${value}, `, room, ')')
        return this.emit('b = o.buffer; p = o.position')
      }
      case 'number':
        this.fixed(8)
        this.emit(`if (!Number.isFinite(${value})) bad()`)
        return this.emit(`p = putFloat(b, p, ${value})`)
      case 'bigint':
        this.emit(`if (typeof ${value} !== "bigint") bad()`)
        return this.writeBy(`writeBigint(o, ${value})`)
      case 'boolean':
        this.fixed(1)
        this.emit(`if (typeof ${value} !== "boolean") bad()`)
        return this.emit(`b[p++] = ${value} ? 1 : 0`)
      case 'timestamp': {
        const time = this.variable()
        this.fixed(widestVarint)
        this.emit(`const ${time} = ${value} instanceof Date ? ${value}.getTime() : NaN`)
        this.emit(`if (!(Math.abs(${time}) <= ${mostTime})) bad()`)
        return this.emit(`p = putZigzag(b, p, ${time})`)
      }
      case 'bytes':
        return this.writeBy(`writeBinary(${value}, o, ${plan.maxLength})`)
      case 'enum': {
        const index = this.variable()
        this.fixed(widestVarint)
        this.emit(`const ${index} = ${this.constant(indexesOf(plan.values))}.get(${value})`)
        this.emit(`if (${index} === undefined) bad()`)
        return this.emit(`p = putVarint(b, p, ${index})`)
      }
      case 'constant':
        return this.emit(`if (${value} !== ${this.constant(plan.value)}) bad()`)
      default:
    }
  }

  private writeInteger(value: string, unsigned: boolean): void {
    this.fixed(widestVarint)
    this.emit(`if (!Number.isSafeInteger(${value})) bad()`)
    if (unsigned) {
      this.emit(`if (${value} < 0) bad()`)
      this.emit(`if (${value} < 128) b[p++] = ${value}`)
      this.emit(`else p = putVarint(b, p, ${value})`)
    } else {
      this.emit(`if (${value} >= -64 && ${value} < 64) b[p++] = (${value} << 1) ^ (${value} >> 31)`)
      this.emit(`else p = putZigzag(b, p, ${value})`)
    }
  }

  private writeObject(properties: readonly Property[], value: string, depth: number): void {
    this.enter(depth)
    this.emit(`if (!isRecord(${value})) bad()`)
    this.spend(nodesOf(properties))
    // Each is read once: a getter may answer something else the next time.
    const entries = properties.map(({ name }) => {
      const entry = this.variable()
      const key = JSON.stringify(name)
      this.emit(
        `const ${entry} = ${isInherited(name) ? `own(${value}, ${key})` : `${value}[${key}]`}`,
      )
      return entry
    })
    this.writeFlags(properties, entries)
    for (const [index, { plan, optional }] of properties.entries()) {
      const entry = entries[index]!
      const write = (): void => {
        if (plan.kind !== 'boolean') this.write(plan, entry, depth + 1)
      }
      if (!optional) write()
      else
        this.maybe(`if (${entry} !== undefined) {`, () => {
          this.spend(isCounted(plan) ? 2 : 1)
          write()
        })
    }
  }

  private writeFlags(properties: readonly Property[], entries: readonly string[]): void {
    const flags = flagsOf(properties)
    if (flags.count === 0) return
    const bytes: string[][] = Array.from({ length: Math.ceil(flags.count / 8) }, () => [])
    const set = (index: number, condition: string): void => {
      bytes[index >> 3]!.push(`(${condition} ? ${1 << (index & 7)} : 0)`)
    }
    for (const [index, { plan, optional }] of properties.entries()) {
      const entry = entries[index]!
      if (optional) set(flags.present[index]!, `${entry} !== undefined`)
      if (plan.kind !== 'boolean') continue
      const absent = optional ? ` && ${entry} !== undefined` : ''
      this.emit(`if (typeof ${entry} !== "boolean"${absent}) bad()`)
      set(flags.value[index]!, `${entry} === true`)
    }
    this.fixed(bytes.length)
    for (const terms of bytes) this.emit(`b[p++] = ${terms.join(' | ')}`)
  }

  private writeArray(item: Plan, maxItems: number, value: string, depth: number): void {
    this.enter(depth)
    const count = this.variable()
    const index = this.variable()
    const entry = this.variable()
    this.emit(`if (!Array.isArray(${value})) bad()`)
    this.emit(`const ${count} = ${value}.length`)
    if (maxItems !== Infinity) this.emit(`if (${count} > ${maxItems}) bad()`)
    this.spend(isCounted(item) ? `1 + ${count}` : 1)
    this.fixed(widestVarint)
    this.emit(`p = putVarint(b, p, ${count})`)
    this.room = undefined
    this.emit(`for (let ${index} = 0; ${index} < ${count}; ${index} += 1) {`)
    this.emit(`const ${entry} = ${value}[${index}]`)
    this.write(item, entry, depth + 1)
    this.emit('}')
    this.room = undefined
  }

  private writeTuple(items: readonly Plan[], value: string, depth: number): void {
    this.enter(depth)
    this.emit(`if (!Array.isArray(${value}) || ${value}.length !== ${items.length}) bad()`)
    this.spend(1 + items.filter(isCounted).length)
    for (const [index, item] of items.entries()) {
      const entry = this.variable()
      this.emit(`const ${entry} = ${value}[${index}]`)
      this.write(item, entry, depth + 1)
    }
  }

  private writeRecord(item: Plan, value: string, depth: number): void {
    this.enter(depth)
    const entries = this.variable()
    const one = this.variable()
    const entry = this.variable()
    this.emit(`if (!isRecord(${value})) bad()`)
    this.spend(1)
    this.emit(`const ${entries} = entriesOf(${value})`)
    this.emit(`if (${entries}.length > ${this.limits.maxKeys}) bad()`)
    this.fixed(widestVarint)
    this.emit(`p = putVarint(b, p, ${entries}.length)`)
    this.room = undefined
    this.emit(`for (const ${one} of ${entries}) {`)
    this.spend(isCounted(item) ? 2 : 1)
    this.writeBy(`writeText(o, ${one}[0], 0)`)
    this.emit(`const ${entry} = ${one}[1]`)
    this.write(item, entry, depth + 1)
    this.emit('}')
    this.room = undefined
  }

  private writeUnion(plan: Extract<Plan, { kind: 'union' }>, value: string, depth: number): void {
    const choice = choiceOf(plan)
    const name = this.constant(choice)
    const branch = this.variable()
    this.emit(`let ${branch} = ${name}.of(${value})`)
    this.emit(`if (${branch} < 0) bad()`)
    let kept = value
    if (!plan.branches.every((_, index) => choice.certain(index))) {
      kept = this.variable()
      this.emit(`const ${kept} = ${name}.kept(${branch}, ${value})`)
      this.emit(`if (${kept} !== ${value}) ${branch} = ${name}.of(${kept})`)
    }
    this.fixed(widestVarint)
    this.emit(`p = putVarint(b, p, ${branch})`)
    const room = this.room
    this.emit(`switch (${branch}) {`)
    let moved = false
    for (const [index, part] of plan.branches.entries()) {
      this.room = room
      this.emit(`case ${index}: {`)
      if (isCounted(part)) this.spend(1)
      this.write(part, kept, depth)
      this.emit('break }')
      moved ||= this.room !== room
    }
    this.emit('}')
    this.room = moved ? undefined : room
  }
}

/** Whether whoever holds such a value counts its node: a container counts itself. */
function isCounted({ kind }: Plan): boolean {
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
function nodesOf(properties: readonly Property[]): number {
  return properties.reduce(
    (sum, { plan, optional }) => (optional ? sum : sum + (isCounted(plan) ? 2 : 1)),
    1,
  )
}

function mayBeUndefined(plan: Plan, seen: Set<Plan>): boolean {
  if (seen.has(plan)) return false
  seen.add(plan)
  switch (plan.kind) {
    case 'constant':
      return plan.value === undefined
    case 'enum':
      return plan.values.includes(undefined)
    case 'packed':
      return true
    case 'union':
      return plan.branches.some((branch) => mayBeUndefined(branch, seen))
    default:
      return false
  }
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
