// First in, first out, in a ring that grows by doubling: no allocation per entry.
//   in  -> entries
//   out -> the same entries, in order
// Bounds nothing by itself: whoever fills it compares `length` with a limit first.

/** Kept however empty it is: a queue that fills and empties all the time does not allocate. */
const keptCapacity = 64
const firstCapacity = 16

export class Queue<T> {
  // The length is 0 or a power of two, so that an index wraps by a mask.
  private slots: (T | undefined)[] = []
  private head = 0
  private count = 0

  /** Entries in it. */
  get length(): number {
    return this.count
  }

  /** Entries that it has room for now. */
  get capacity(): number {
    return this.slots.length
  }

  push(entry: T): void {
    if (this.count === this.slots.length) this.resize(Math.max(firstCapacity, this.count * 2))
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = entry
    this.count += 1
  }

  /** The oldest entry, which stays. */
  peek(): T | undefined {
    return this.count === 0 ? undefined : this.slots[this.head]
  }

  /** The entry `index` places behind the oldest, which stays. */
  at(index: number): T | undefined {
    if (index >= this.count) return undefined
    return this.slots[(this.head + index) & (this.slots.length - 1)]
  }

  /** Takes the oldest entry. */
  shift(): T | undefined {
    if (this.count === 0) return undefined
    const entry = this.slots[this.head]
    // What was taken must not be kept alive.
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & (this.slots.length - 1)
    this.count -= 1
    // After a burst the memory goes back; by eighths, so that it is not asked for again at once.
    if (this.slots.length > keptCapacity && this.count <= this.slots.length >> 3)
      this.resize(Math.max(keptCapacity, this.slots.length >> 2))
    return entry
  }

  /** Drops every entry and the memory. */
  clear(): void {
    this.slots = []
    this.head = 0
    this.count = 0
  }

  private resize(capacity: number): void {
    const slots = new Array<T | undefined>(capacity).fill(undefined)
    for (let index = 0; index < this.count; index += 1)
      slots[index] = this.slots[(this.head + index) & (this.slots.length - 1)]
    this.slots = slots
    this.head = 0
  }
}
