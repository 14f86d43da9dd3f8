// Names for sibling packages and for transports; outside semver but for link/link.ts.
export { clockOf, type Clock, type ClockHost, type TimerHandle } from './base/clock.ts'
export {
  ConnectionError,
  RpcError,
  codeNumbers,
  codeOf,
  isRpcError,
  protocolError,
  type Code,
  type Processed,
} from './base/errors.ts'
export { resolveLimits, type Limits, type LimitsOption, type LimitsPreset } from './base/limits.ts'
export { LagMonitor } from './base/lag.ts'
export {
  MetricsRegistry,
  type CounterName,
  type GaugeName,
  type HistogramName,
  type HistogramSnapshot,
  type Metrics,
  type MetricsSnapshot,
} from './base/metrics.ts'
export { Queue } from './base/queue.ts'
export type { Report, ReportLevel } from './base/report.ts'
export { Timer, Timers } from './base/timers.ts'
export { newAbortController, type AbortControllerLike } from './calls/abort.ts'
export { installAmbient } from './calls/ambient.ts'
export { Calls, type CallsOwner, type CallsParts } from './calls/calls.ts'
export { callsOf, type CallerParts } from './calls/caller.ts'
export { failure } from './calls/failure.ts'
export type { Dispatcher, ServedMethod } from './calls/incoming.ts'
export type { CallStarter, Startable } from './calls/channel.ts'
export type { Method } from './calls/method.ts'
export type { Ambient, CallScope, Runtime } from './calls/runtime.ts'
export type { ClientSnapshot, ConnectionSnapshot, ServerSnapshot } from './calls/snapshot.ts'
export {
  CodecError,
  type Codec,
  type CodecChoice,
  type RefusedReason,
  type SchemaCodec,
} from './codec/codec.ts'
export { plainMsgpackCodec } from './codec/msgpack-value.ts'
export { ByteSink } from './codec/sink.ts'
export { batchedBytes, writeBatch, type FrameRange } from './frames/batch.ts'
export { RetryPolicy } from './calls/retry.ts'
export { Memory } from './session/memory.ts'
export { Parked } from './session/parked.ts'
export type { Validate } from './codec/validator.ts'
export { contractHash } from './contract/fingerprint.ts'
export { methodsOf, type AnyContract } from './contract/contract.ts'
export { lintContract, refuseProblems, type ContractProblem } from './contract/lint.ts'
export { PrefixParser } from './frames/prefix.ts'
export { FrameType, headerBytes } from './frames/frame.ts'
export { Dispatch, type DispatchParts } from './handlers/dispatch.ts'
export { contractOfService, handlersOf, serve, servedMethods } from './handlers/implement.ts'
export { implement, implementFor } from './handlers/implement.ts'
export type * from './handlers/types.ts'
export type * from './handlers/client-types.ts'
export { FrameWatch } from './link/frame-watch.ts'
export { Gate, processConnections, type Entrance } from './link/gate.ts'
export { TokenBucket } from './base/token-bucket.ts'
export {
  frameRoom,
  type AbortSignalLike,
  type ArrivalLimit,
  type DialOptions,
  type Link,
  type LinkClose,
  type LinkHandler,
  type LinkLimits,
  type Listener,
  type ListenOptions,
  type Peer,
  type Transport,
} from './link/link.ts'
export {
  idsOfClient,
  idsOfServer,
  readHello,
  readLimits,
  readWelcome,
  stampOf,
  stampsFor,
  statedLimits,
  writeHello,
  writeWelcome,
  type ContractStamp,
  type HelloTerms,
  type MethodStamps,
  type PeerLimits,
  type ResumeTerms,
  type SessionGrant,
  type SessionTicket,
  type WelcomeTerms,
} from './session/handshake.ts'
export { Session, type SessionEnd, type SessionRuntime } from './session/session.ts'
