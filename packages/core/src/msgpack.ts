// The msgpack codec that reads by msgpackr: apart from `internal.ts`, for who has no msgpackr at all.
export { msgpackCodec } from './codec/msgpack.ts'
