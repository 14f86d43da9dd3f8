// Public names of @callbox/core.
export { RpcError, type Code, type Processed, type RpcErrorOptions } from './base/errors.ts'
export type { Limits, LimitsOption, LimitsPreset } from './base/limits.ts'
export type { Report, ReportLevel } from './base/report.ts'
export {
  MetricsRegistry,
  type CounterName,
  type GaugeName,
  type HistogramName,
  type HistogramSnapshot,
  type Metrics,
  type MetricsSnapshot,
} from './base/metrics.ts'
export { isError, safe } from './calls/outcome.ts'
export type { ClientSnapshot, ConnectionSnapshot, ServerSnapshot } from './calls/snapshot.ts'
export type {
  CallChanges,
  CallOf,
  CallOptions,
  CallsOf,
  ClientCallsOf,
  ClientInterceptor,
  Duplex,
  Items,
  Metadata,
  Next,
  Outcome,
  OutgoingCall,
  Reply,
  ResumableCallOptions,
  Signal,
} from './calls/types.ts'
export type { CodecChoice } from './codec/codec.ts'
export type { SchemaValidator, Validate } from './codec/validator.ts'
export {
  contract,
  type AnyContract,
  type AnyMethod,
  type ClientMethodsOf,
  type Contract,
  type MethodsOf,
  type MethodTree,
} from './contract/contract.ts'
export { contractHash } from './contract/fingerprint.ts'
export type {
  Argument,
  CursorOf,
  DeclaredError,
  DeclaredIn,
  Empty,
  ErrorOf,
  InputOf,
  OutputOf,
  ParamsOf,
  Static,
  UndeclaredError,
  Value,
} from './contract/infer.ts'
export {
  bidi,
  clientStream,
  event,
  serverStream,
  unary,
  type Bidi,
  type ClientStream,
  type ErrorSchemas,
  type Event,
  type Kind,
  type MethodDefinition,
  type Schema,
  type ServerStream,
  type Unary,
} from './contract/kinds.ts'
export { Bytes, Timestamp, type TBytes, type TTimestamp } from './contract/schemas.ts'
export type {
  Client,
  ClientControls,
  ClientEvents,
  ClientState,
  ReservedContracts,
  StateChange,
} from './handlers/client-types.ts'
export type {
  ClientHandlers,
  CommonCall,
  Connection,
  ContextOf,
  HandlerCall,
  Handlers,
  Hello,
  Implement,
  IncomingCall,
  Interceptor,
  Positioned,
  PositionTerms,
  Service,
} from './handlers/types.ts'
export type { Peer, Transport } from './link/link.ts'
