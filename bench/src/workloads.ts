// What is measured. The message is the same for every contender.

export interface Message {
  id: number
  name: string
  tags: string[]
  pos: { x: number; y: number }
}

export const message: Message = {
  id: 1_234_567,
  name: 'player-abcdef-01',
  tags: ['red', 'captain', 'ranked'],
  pos: { x: 12.5, y: -3.25 },
}

export interface Workload {
  readonly id: 'W1' | 'W2' | 'W4'
  readonly title: string
  /** Calls in flight at once; for W4 the items of one stream. */
  readonly size: number
}

export const workloads: readonly Workload[] = [
  { id: 'W1', title: 'unary, one at a time', size: 1 },
  { id: 'W2', title: 'unary, 64 in flight', size: 64 },
  { id: 'W2', title: 'unary, 1,024 in flight', size: 1_024 },
  { id: 'W4', title: 'server stream of 100,000 small items', size: 100_000 },
]
