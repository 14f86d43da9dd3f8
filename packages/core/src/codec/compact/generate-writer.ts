// Code that writes a plan.
//   in  -> a plan, of a program
//   out -> the source of one function

import { choiceOf, isInherited } from './choice.ts'
import { flagsOf } from './entries.ts'
import type { Plan, Property } from './plan.ts'
import { isCounted, Lines, nodesOf, Room } from './program.ts'
import { indexesOf } from './scalars.ts'
import { mostTime, widestVarint } from './wire.ts'

/** `v` value, `o` sink, `b` its buffer, `p` position, `d` depth. */
export class WriterLines extends Lines {
  private room: Room | undefined

  /** The whole function of a plan. */
  writer(plan: Plan, name: number): string {
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
    if (this.program.isApart(plan))
      this.writeBy(`w${this.program.nameOf(plan)}(${value}, o, d + ${depth})`)
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
        return this.writeBy(
          `writePacked(${value}, o, d + ${depth}, ${this.program.constant(this.program.limits)})`,
        )
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
        const time = this.program.variable()
        this.fixed(widestVarint)
        this.emit(`const ${time} = ${value} instanceof Date ? ${value}.getTime() : NaN`)
        this.emit(`if (!(Math.abs(${time}) <= ${mostTime})) bad()`)
        return this.emit(`p = putZigzag(b, p, ${time})`)
      }
      case 'bytes':
        return this.writeBy(`writeBinary(${value}, o, ${plan.maxLength})`)
      case 'enum': {
        const index = this.program.variable()
        this.fixed(widestVarint)
        this.emit(`const ${index} = ${this.program.constant(indexesOf(plan.values))}.get(${value})`)
        this.emit(`if (${index} === undefined) bad()`)
        return this.emit(`p = putVarint(b, p, ${index})`)
      }
      case 'constant':
        return this.emit(`if (${value} !== ${this.program.constant(plan.value)}) bad()`)
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
      const entry = this.program.variable()
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
    const count = this.program.variable()
    const index = this.program.variable()
    const entry = this.program.variable()
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
      const entry = this.program.variable()
      this.emit(`const ${entry} = ${value}[${index}]`)
      this.write(item, entry, depth + 1)
    }
  }

  private writeRecord(item: Plan, value: string, depth: number): void {
    this.enter(depth)
    const entries = this.program.variable()
    const one = this.program.variable()
    const entry = this.program.variable()
    this.emit(`if (!isRecord(${value})) bad()`)
    this.spend(1)
    this.emit(`const ${entries} = entriesOf(${value})`)
    this.emit(`if (${entries}.length > ${this.program.limits.maxKeys}) bad()`)
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
    const name = this.program.constant(choice)
    const branch = this.program.variable()
    this.emit(`let ${branch} = ${name}.of(${value})`)
    this.emit(`if (${branch} < 0) bad()`)
    let kept = value
    if (!plan.branches.every((_, index) => choice.certain(index))) {
      kept = this.program.variable()
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
