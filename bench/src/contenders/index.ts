import type { Contender } from '../contender.ts'
import { callboxTcp, callboxTcpMsgpack, callboxWs, callboxWsMsgpack } from './callbox.ts'
import { floorNet } from './floor-net.ts'
import { floorWs } from './floor-ws.ts'

export const contenders: readonly Contender[] = [
  floorNet,
  callboxTcp,
  callboxTcpMsgpack,
  floorWs,
  callboxWs,
  callboxWsMsgpack,
]

export function contenderOf(name: string): Contender {
  const found = contenders.find((contender) => contender.name === name)
  if (found === undefined) throw new Error(`no contender '${name}'`)
  return found
}
