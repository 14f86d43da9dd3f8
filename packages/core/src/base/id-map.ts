// What stands under ids that rise: a place in an array, found by the low bits of the id.
//   in  -> an id with its value; an id
//   out -> the value
// A third of the cost of a Map for ids that come and go in order, and no garbage. An id that lives so
// long that others come round to its place is no reason to grow: those go to a Map beside.

const firstCapacity = 16
/** Above this share of places in use a collision makes it grow. */
const crowded = 1 / 4

export class IdMap<V> {
  private ids: number[] = new Array<number>(firstCapacity).fill(0)
  private slots: (V | undefined)[] = new Array<undefined>(firstCapacity).fill(undefined)
  private readonly beside = new Map<number, V>()
  private count = 0

  get size(): number {
    return this.count
  }

  get(id: number): V | undefined {
    const at = id & (this.ids.length - 1)
    const value = this.slots[at]
    if (value !== undefined && this.ids[at] === id) return value
    return this.beside.size === 0 ? undefined : this.beside.get(id)
  }

  /** `id` is a positive integer below 2^31 that is not in it. */
  add(id: number, value: V): void {
    let at = id & (this.ids.length - 1)
    while (this.slots[at] !== undefined && this.count > this.ids.length * crowded) {
      this.grow()
      at = id & (this.ids.length - 1)
    }
    this.count += 1
    if (this.slots[at] !== undefined) return void this.beside.set(id, value)
    this.ids[at] = id
    this.slots[at] = value
  }

  /** False if it is not there. */
  delete(id: number): boolean {
    const at = id & (this.ids.length - 1)
    if (this.slots[at] !== undefined && this.ids[at] === id) this.slots[at] = undefined
    else if (!this.beside.delete(id)) return false
    this.count -= 1
    return true
  }

  /** By rising ids. */
  values(): readonly V[] {
    const entries: [id: number, value: V][] = [...this.beside]
    for (const [at, value] of this.slots.entries())
      if (value !== undefined) entries.push([this.ids[at]!, value])
    return entries.sort(([one], [other]) => one - other).map(([, value]) => value)
  }

  clear(): void {
    this.count = 0
    this.ids = new Array<number>(firstCapacity).fill(0)
    this.slots = new Array<undefined>(firstCapacity).fill(undefined)
    this.beside.clear()
  }

  private grow(): void {
    const { ids, slots } = this
    const capacity = ids.length * 2
    this.ids = new Array<number>(capacity).fill(0)
    this.slots = new Array<undefined>(capacity).fill(undefined)
    // Twice the places: what had one each before has one each now.
    for (const [index, value] of slots.entries()) {
      if (value === undefined) continue
      const at = ids[index]! & (capacity - 1)
      this.ids[at] = ids[index]!
      this.slots[at] = value
    }
  }
}
