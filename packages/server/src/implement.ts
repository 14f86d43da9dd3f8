// `implement` as servers have it: with the contract linter in front.
//   in  -> a contract and its handlers
//   out -> a service
// The joining itself is core's, which `handle` of the client shares; browsers get no linter.

import {
  implement as join,
  implementFor as joinFor,
  refuseProblems,
  type Implement,
} from '@callbox/core/internal'

/**
 * Joins a contract with its handlers, for services that need no context; such a service fits every
 * server. Throws TypeError, naming the method, if a handler is missing or belongs to no method, and
 * one TypeError with the paths of all schemas that `lintContract` of `@callbox/testing` finds
 * dangerous or slow to check (docs/guide/contract-lint.md: why, and the opt-outs).
 */
export const implement: Implement<unknown> = (contract, handlers) => {
  refuseProblems(contract)
  return join(contract, handlers)
}

/** `implement` for services that get a context: `implementFor<ContextOf<typeof authenticate>>()`. */
export function implementFor<Context>(): Implement<Context> {
  const joinWith = joinFor<Context>()
  return (contract, handlers) => {
    refuseProblems(contract)
    return joinWith(contract, handlers)
  }
}
