// What an editor shows: names for what has one, and values, never schemas. scripts/types.mjs
// compares the text after `shows` with what TypeScript writes for the line below it.

import { createClient, transport, type Handlers, type InputOf } from './callbox.ts'
import { lobby } from './lobby.ts'

const client = createClient({ lobby }, transport)
declare const handlers: Handlers<typeof lobby, { user: string }>

// shows (input: { name: string; }, options?: CallOptions) => Reply<{ roomId: string; }, {
export const create = client.lobby.create
// shows (input?: undefined, options?: CallOptions) => Promise<{ id: string; seats: number; title?: string; }[]>
export const list = client.lobby.list
// shows (input: { id: string; }, options?: CallOptions) => Items<string>
export const tail = client.lobby.tail
// shows (input?: undefined, options?: ResumableCallOptions<number> | undefined) => Items<{ seq: number; text: string; }>
export const watch = client.lobby.watch
// shows (params: { game: string; }, items: AsyncIterable<Uint8Array<ArrayBuffer>>, options?: CallOptions) => Reply<{ bytes: number; at: Date; }, {
export const importReplay = client.lobby.importReplay
// shows (params: { seat: string; }, options?: CallOptions) => Duplex<{ dir: "left" | "right"; }, { tick: number; }>
export const play = client.lobby.play
// shows (input: { roomId: string; }, options?: CallOptions) => Promise<void>
export const typing = client.lobby.typing
// shows (input: { id: string; }, call: HandlerCall<{ user: string; }, {
export const handler = handlers.tail
declare const input: InputOf<typeof lobby.play>
// shows { dir: "left" | "right"; }
export const move = input
