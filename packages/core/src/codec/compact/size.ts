// The least that a value of a plan takes, to judge claims by before anything is allocated.
//   in  -> a plan
//   out -> bytes and nodes that no value of it goes below

import { flagsOf } from './entries.ts'
import type { Plan, Property } from './plan.ts'

export interface Least {
  readonly bytes: number
  readonly nodes: number
}

const known = new WeakMap<Plan, Least>()

/** A lower bound: a plan that leads back to itself counts nothing there. */
export function leastOf(plan: Plan): Least {
  let least = known.get(plan)
  if (least === undefined) {
    known.set(plan, { bytes: 0, nodes: 0 })
    known.set(plan, (least = computed(plan)))
  }
  return least
}

function computed(plan: Plan): Least {
  switch (plan.kind) {
    case 'object':
      return ofObject(plan.properties)
    case 'tuple':
      return sum(plan.items.map(leastOf), { bytes: 0, nodes: 1 })
    case 'union': {
      const branches = plan.branches.map(leastOf)
      return {
        bytes: 1 + Math.min(...branches.map(({ bytes }) => bytes)),
        nodes: Math.min(...branches.map(({ nodes }) => nodes)),
      }
    }
    case 'constant':
      return { bytes: 0, nodes: 1 }
    case 'number':
      return { bytes: 8, nodes: 1 }
    case 'packed':
      return { bytes: 2, nodes: 1 }
    default:
      return { bytes: 1, nodes: 1 }
  }
}

function ofObject(properties: readonly Property[]): Least {
  const required = properties.filter(({ optional }) => !optional)
  const parts = required.map(({ plan }) => {
    const { bytes, nodes } = leastOf(plan)
    // Of a boolean only the bit; the key counts as a node.
    return { bytes: plan.kind === 'boolean' ? 0 : bytes, nodes: nodes + 1 }
  })
  return sum(parts, { bytes: Math.ceil(flagsOf(properties).count / 8), nodes: 1 })
}

function sum(parts: readonly Least[], own: Least): Least {
  return parts.reduce(
    (all, { bytes, nodes }) => ({ bytes: all.bytes + bytes, nodes: all.nodes + nodes }),
    own,
  )
}
