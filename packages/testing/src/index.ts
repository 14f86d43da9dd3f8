// What tests of Callbox applications, and of transports, are made with.
export { VirtualClock } from './clock.ts'
export { memory } from './memory.ts'
export { createPair, type PairOptions } from './pair.ts'
