// What tests of Callbox applications, and of transports, are made with.
export { lintContract, type ContractProblem } from '@callbox/core/internal'
export { VirtualClock } from './clock.ts'
export { memory } from './memory.ts'
export { createPair, type PairOptions } from './pair.ts'
export { transportSuite, type TransportCase } from './transport-suite.ts'
export type { TransportCapabilities, TransportKit } from './transport-kit.ts'
