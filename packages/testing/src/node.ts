// The part of the test kit that needs Node: peers that send any bytes over real sockets.
export { RawPeer, type RawAddress } from './raw-peer.ts'
export {
  createFaultProxy,
  type FaultProxy,
  type FaultProxyOptions,
  type LineShapes,
  type ProxiedConnection,
} from './fault-proxy.ts'
export { everyCut, shapesFor, type Cut } from './fault-sweep.ts'
export { faultProxyCommand, type CommandParts } from './fault-proxy-command.ts'
export type { LineShape } from './shaper.ts'
export { RawServer } from './raw-server.ts'
export {
  errorOf,
  goAwayOf,
  hex,
  joined,
  partsOf,
  prefixed,
  rawAck,
  rawCancel,
  rawCredit,
  rawData,
  rawEnd,
  rawError,
  rawFrame,
  rawGoAway,
  rawHello,
  rawNotify,
  rawPing,
  rawRequest,
  rawWelcome,
  u32,
  toHex,
  valueOf,
  type RawCall,
  type RawFrame,
} from './raw-frames.ts'
export { fromMsgpack, toMsgpack } from './raw-msgpack.ts'
export {
  webSocketFrame,
  type RawWebSocketFrame,
  type RawWebSocketOptions,
} from './raw-websocket.ts'
export {
  playClientCase,
  playServerCase,
  type ClientSubject,
  type ServerSubject,
  type Settlement,
} from './conformance/wire-driver.ts'
export { answerCommands, Program, type Commands } from './conformance/programs.ts'
