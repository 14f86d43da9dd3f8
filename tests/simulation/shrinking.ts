// Makes a scenario that fails as small as it can be: faults first, then operations, then clients.
//   in  -> a scenario, an invariant that it breaks
//   out -> what may be left out of it

import { shrink } from '@callbox/testing/simulation'
import { runScenario } from './run.ts'
import { masked, type Mask, type Scenario } from './scenario.ts'

export async function shrinkScenario(scenario: Scenario, invariant: string): Promise<Mask> {
  const indices = <T>(list: readonly T[]): number[] => list.map((_, index) => index)
  const others = (all: readonly number[], kept: readonly number[]): number[] =>
    all.filter((one) => !kept.includes(one))
  const stillFails = async (mask: Mask): Promise<boolean> =>
    (await runScenario(masked(scenario, mask))).violations.some(
      (violation) => violation.invariant === invariant,
    )
  const faults = indices(scenario.faults)
  const operations = scenario.operations.map(({ op }) => op)
  const clients = Array.from({ length: scenario.clients }, (_, index) => index)
  let mask: Mask = { faults: [], operations: [], clients: [] }
  const keptFaults = await shrink(faults, (kept) =>
    stillFails({ ...mask, faults: others(faults, kept) }),
  )
  mask = { ...mask, faults: others(faults, keptFaults) }
  const keptOperations = await shrink(operations, (kept) =>
    stillFails({ ...mask, operations: others(operations, kept) }),
  )
  mask = { ...mask, operations: others(operations, keptOperations) }
  const keptClients = await shrink(clients, (kept) =>
    stillFails({ ...mask, clients: others(clients, kept) }),
  )
  return { ...mask, clients: others(clients, keptClients) }
}
