// Code that reads a plan.
//   in  -> a plan, of a program
//   out -> the source of one function

import { choiceOf } from './choice.ts'
import { flagsOf } from './entries.ts'
import type { Plan, Property } from './plan.ts'
import { isCounted, Lines, nodesOf } from './program.ts'
import { indexesOf } from './scalars.ts'
import { leastOf } from './size.ts'

/** `b` bytes, `p` position, `e` end, `d` depth. */
export class ReaderLines extends Lines {
  /** The whole function of a plan. */
  reader(plan: Plan, name: number): string {
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
    return this.program.isApart(plan)
      ? this.readBy(`r${this.program.nameOf(plan)}(b, p, e, d + ${depth})`)
      : this.readForm(plan, depth)
  }

  private readBy(call: string): string {
    const value = this.program.variable()
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
        return this.readBy(
          `readPacked(b, p, e, d + ${depth}, ${this.program.constant(this.program.limits)})`,
        )
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
          `readListed(b, p, e, ${this.program.constant(plan.values)}, ${this.program.constant(first)})`,
        )
      }
      case 'constant':
        return this.program.constant(plan.value)
      default:
        return 'undefined'
    }
  }

  private readInteger(unsigned: boolean): string {
    const value = this.program.variable()
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
      const value = this.program.variable()
      const present = bits(flags.present[index]!)
      this.emit(`let ${value}`)
      this.emit(`if (${present}) {`)
      this.spend(isCounted(plan) ? 2 : 1)
      this.emit(`${value} = ${truth ?? this.read(plan, depth + 1)}`)
      if (mayBeUndefined(plan, new Set())) this.emit(`if (${value} === undefined) bad()`)
      this.emit(truth === undefined ? '}' : `} else if (${truth}) bad()`)
      late.push((object) => this.emit(`if (${present}) ${object}[${key}] = ${value}`))
    }
    const object = this.program.variable()
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
    const names = Array.from({ length: bytes }, () => this.program.variable())
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
    const items = this.program.variable()
    const index = this.program.variable()
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
    const tuple = this.program.variable()
    this.emit(`const ${tuple} = [${values.join(', ')}]`)
    return tuple
  }

  private readRecord(value: Plan, depth: number): string {
    this.enter(depth)
    this.spend(1)
    const { maxKeys } = this.program.limits
    const least = leastOf(value)
    const count = this.readBy(`readKeyCount(b, p, e, ${maxKeys}, ${this.program.constant(least)})`)
    const record = this.program.variable()
    const index = this.program.variable()
    const last = this.program.variable()
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
    const value = this.program.variable()
    this.emit(`let ${value}`)
    this.emit(`switch (${branch}) {`)
    for (const [index, part] of plan.branches.entries()) {
      this.emit(`case ${index}: {`)
      if (isCounted(part)) this.spend(1)
      this.emit(`${value} = ${this.read(part, depth)}`)
      if (!choice.certain(index))
        this.emit(`if (!${this.program.constant(choice)}.confirms(${index}, ${value})) bad()`)
      this.emit('break }')
    }
    this.emit('default: bad()')
    this.emit('}')
    return value
  }
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
