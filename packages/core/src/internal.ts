// Names for sibling packages and for transports; outside semver but for link/link.ts.
export { clockOf, type Clock, type ClockHost, type TimerHandle } from './base/clock.ts'
export { ConnectionError, RpcError, codeNumbers, codeOf, protocolError, type Code, type Processed } from './base/errors.ts'
export { resolveLimits, type Limits, type LimitsOption, type LimitsPreset } from './base/limits.ts'
export { CodecError, type Codec, type RefusedReason, type SchemaCodec } from './codec/codec.ts'
export { ByteSink } from './codec/sink.ts'
export { frameRoom, type AbortSignalLike, type DialOptions, type Link, type LinkClose, type LinkHandler, type Listener, type ListenOptions, type Peer, type Transport } from './link/link.ts'
