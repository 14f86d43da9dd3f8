// The compact codec of a plan, put together from small functions: needs no code generation, and its
// refusals say where in the value.
//   in  -> a plan, limits
//   out -> a reader and a writer

import type { GuardLimits } from '../guard.ts'
import type { ByteSink } from '../sink.ts'
import { choiceOf, isRecord, own } from './choice.ts'
import { checkKey, entriesOf, flagsOf, type Flags } from './entries.ts'
import { readPacked, writePacked } from './packed.ts'
import type { Plan, Property } from './plan.ts'
import { scalarOf, type Closures, type Reader, type Writer } from './scalars.ts'
import { leastOf } from './size.ts'
import {
  cutShort,
  notCanonical,
  readCount,
  readKeyCount,
  readText,
  readVarint,
  Refusal,
  refuse,
  run,
  spend,
  tooManyKeys,
  writeText,
  writeVarint,
} from './wire.ts'

/** Both ways of a plan. Throw `Refusal` with the path of what they refuse. */
export function closuresOf(plan: Plan, limits: GuardLimits): Closures {
  return new Builder(limits).build(plan)
}

class Builder {
  private readonly limits: GuardLimits
  private readonly built = new Map<Plan, Closures>()

  constructor(limits: GuardLimits) {
    this.limits = limits
  }

  build(plan: Plan): Closures {
    const known = this.built.get(plan)
    if (known !== undefined) return known
    // Recursive plans meet themselves before they are there.
    const parts: { read: Reader; write: Writer } = { read: () => 0, write: () => undefined }
    this.built.set(plan, {
      read: (bytes, at, end, depth) => parts.read(bytes, at, end, depth),
      write: (value, out, depth) => parts.write(value, out, depth),
    })
    Object.assign(parts, this.form(plan))
    this.built.set(plan, parts)
    return parts
  }

  private form(plan: Plan): Closures {
    switch (plan.kind) {
      case 'object':
        return this.object(plan.properties)
      case 'array':
        return this.array(plan.item, plan.maxItems)
      case 'tuple':
        return this.tuple(plan.items)
      case 'record':
        return this.record(plan.value)
      case 'union':
        return this.union(plan)
      case 'packed':
        return {
          read: (bytes, at, end, depth) => readPacked(bytes, at, end, depth, this.limits),
          write: (value, out, depth) => writePacked(value, out, depth, this.limits),
        }
      default:
        return counted(scalarOf(plan))
    }
  }

  /** A container: one node, one level. */
  private enter(depth: number): void {
    const { maxDepth } = this.limits
    if (depth >= maxDepth)
      refuse(
        'depth',
        `deeper than limits.maxDepth (${maxDepth}) containers, or a cycle`,
        'maxDepth',
      )
    spend(1)
  }

  private object(properties: readonly Property[]): Closures {
    const parts = properties.map((property) => ({ ...property, ...this.build(property.plan) }))
    const flags = flagsOf(properties)
    return {
      read: (bytes, start, end, depth) => {
        this.enter(depth)
        const bit = readFlags(bytes, start, end, flags.count)
        const value: Record<string, unknown> = {}
        // Optional ones come last, as in generated code.
        let late: [string, unknown][] | undefined
        let at = ''
        try {
          for (let index = 0; index < parts.length; index += 1) {
            const { name, plan, optional, read } = parts[index]!
            at = name
            const truth = bit(flags.value[index]!)
            if (optional && !bit(flags.present[index]!)) {
              if (truth) notCanonical()
              continue
            }
            spend(plan.kind === 'boolean' ? 2 : 1)
            const entry = plan.kind === 'boolean' ? truth : read(bytes, run.at, end, depth + 1)
            // What is undefined is absent.
            if (optional && entry === undefined) notCanonical()
            if (optional) (late ??= []).push([name, entry])
            else value[name] = entry
          }
        } catch (error) {
          throw below(at, error)
        }
        if (late !== undefined) for (const [name, entry] of late) value[name] = entry
        return value
      },
      write: (value, out, depth) => {
        this.enter(depth)
        if (!isRecord(value)) return refuse('value', 'must be object')
        // Each is read once: a getter may answer something else the next time.
        const entries = properties.map(({ name }) => own(value, name))
        writeFlags(properties, entries, flags, out)
        let at = ''
        try {
          for (let index = 0; index < parts.length; index += 1) {
            const { name, plan, optional, write } = parts[index]!
            at = name
            const entry = entries[index]
            if (optional && entry === undefined) continue
            spend(plan.kind === 'boolean' ? 2 : 1)
            if (plan.kind !== 'boolean') write(entry, out, depth + 1)
            else if (typeof entry !== 'boolean') refuse('value', 'must be boolean')
          }
        } catch (error) {
          throw below(at, error)
        }
      },
    }
  }

  private array(plan: Plan, maxItems: number): Closures {
    const item = this.build(plan)
    const least = leastOf(plan)
    return {
      read: (bytes, start, end, depth) => {
        this.enter(depth)
        const count = readCount(bytes, start, end, maxItems, least.bytes, least.nodes)
        return readItems(count, bytes, end, depth, () => item)
      },
      write: (value, out, depth) => {
        this.enter(depth)
        if (!Array.isArray(value)) return refuse('value', 'must be array')
        const { length } = value
        if (length > maxItems) refuse('length', `must not have more than ${maxItems} items`)
        writeVarint(out, length)
        writeItems(value, length, out, depth, () => item)
      },
    }
  }

  private tuple(plans: readonly Plan[]): Closures {
    const items = plans.map((plan) => this.build(plan))
    const { length } = items
    const itemAt = (index: number): Closures => items[index]!
    return {
      read: (bytes, start, end, depth) => {
        this.enter(depth)
        run.at = start
        return readItems(length, bytes, end, depth, itemAt)
      },
      write: (value, out, depth) => {
        this.enter(depth)
        if (!Array.isArray(value) || value.length !== length)
          return refuse('value', `must be array of ${length} items`)
        writeItems(value, length, out, depth, itemAt)
      },
    }
  }

  private record(plan: Plan): Closures {
    const entry = this.build(plan)
    const least = leastOf(plan)
    const { maxKeys } = this.limits
    return {
      read: (bytes, start, end, depth) => {
        this.enter(depth)
        const count = readKeyCount(bytes, start, end, maxKeys, least)
        const value: Record<string, unknown> = {}
        let last: string | undefined
        for (let index = 0; index < count; index += 1) {
          spend(1)
          const key = readText(bytes, run.at, end)
          checkKey(key, last)
          last = key
          try {
            const one = entry.read(bytes, run.at, end, depth + 1)
            if (one === undefined) notCanonical()
            value[key] = one
          } catch (error) {
            throw below(key, error)
          }
        }
        return value
      },
      write: (value, out, depth) => {
        this.enter(depth)
        if (!isRecord(value)) return refuse('value', 'must be object')
        const entries = entriesOf(value)
        if (entries.length > maxKeys) tooManyKeys(maxKeys)
        writeVarint(out, entries.length)
        for (const [key, one] of entries) {
          spend(1)
          try {
            writeText(out, key, 0)
            entry.write(one, out, depth + 1)
          } catch (error) {
            throw below(key, error)
          }
        }
      },
    }
  }

  private union(plan: Extract<Plan, { kind: 'union' }>): Closures {
    const branches = plan.branches.map((branch) => this.build(branch))
    const choice = choiceOf(plan)
    return {
      read: (bytes, start, end, depth) => {
        const index = readVarint(bytes, start, end)
        if (index >= branches.length) refuse('value', 'must match one of the branches')
        const value = branches[index]!.read(bytes, run.at, end, depth)
        if (!choice.confirms(index, value)) notCanonical()
        return value
      },
      write: (given, out, depth) => {
        let value = given
        let index = choice.of(value)
        if (index < 0) refuse('value', 'must match one of the branches')
        const kept = choice.kept(index, value)
        if (kept !== value) index = choice.of((value = kept))
        writeVarint(out, index)
        branches[index]!.write(value, out, depth)
      },
    }
  }
}

/** Reads the bits in front of an object, to `run.at`. Answers what asks for one of them. */
function readFlags(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
): (index: number) => boolean {
  const size = Math.ceil(count / 8)
  if (size > end - start) cutShort()
  run.at = start + size
  if ((count & 7) !== 0 && bytes[run.at - 1]! >> (count & 7) !== 0)
    refuse('value', 'unused bits are set')
  return (index) => index >= 0 && ((bytes[start + (index >> 3)]! >> (index & 7)) & 1) === 1
}

function writeFlags(
  properties: readonly Property[],
  entries: readonly unknown[],
  flags: Flags,
  out: ByteSink,
): void {
  if (flags.count === 0) return
  const bits = new Uint8Array(Math.ceil(flags.count / 8))
  const set = (index: number): void => {
    if (index >= 0) bits[index >> 3]! |= 1 << (index & 7)
  }
  for (const [index, { plan, optional }] of properties.entries()) {
    if (optional && entries[index] !== undefined) set(flags.present[index]!)
    if (plan.kind === 'boolean' && entries[index] === true) set(flags.value[index]!)
  }
  out.append(bits)
}

function readItems(
  count: number,
  bytes: Uint8Array,
  end: number,
  depth: number,
  itemAt: (index: number) => Closures,
): unknown[] {
  const items: unknown[] = []
  try {
    while (items.length < count)
      items.push(itemAt(items.length).read(bytes, run.at, end, depth + 1))
  } catch (error) {
    throw below(items.length, error)
  }
  return items
}

function writeItems(
  items: readonly unknown[],
  count: number,
  out: ByteSink,
  depth: number,
  itemAt: (index: number) => Closures,
): void {
  let index = 0
  try {
    for (; index < count; index += 1) itemAt(index).write(items[index], out, depth + 1)
  } catch (error) {
    throw below(index, error)
  }
}

/** Adds a step to the path of what was refused. */
function below(key: string | number, error: unknown): unknown {
  if (error instanceof Refusal) error.below(key)
  return error
}

function counted({ read, write }: Closures): Closures {
  return {
    read: (bytes, at, end, depth) => {
      spend(1)
      return read(bytes, at, end, depth)
    },
    write: (value, out, depth) => {
      spend(1)
      write(value, out, depth)
    },
  }
}
