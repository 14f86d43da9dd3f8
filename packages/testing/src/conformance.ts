// The conformance cases, as data, and what the ones that are calls need: a contract, handlers.
export type { Amount, CallCase, Caller, Ending, Where, WireCase } from './conformance/case.ts'
export { titleOf } from './conformance/case.ts'
export { conf } from './conformance/contract.ts'
export { handlers } from './conformance/handlers.ts'
export { callCases, findCallCase, isAlive, wireCases } from './conformance/cases.ts'
export {
  defaultCaps,
  leftOfClient,
  leftOfServer,
  overCaps,
  type Caps,
} from './conformance/outcome.ts'
export type {
  ExpectedFrame,
  Inspected,
  SettledCall,
  StartedCall,
  Step,
  WebSocketPart,
} from './conformance/steps.ts'
