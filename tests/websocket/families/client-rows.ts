// Rows of answers to a client: each is a case, taken or refused.

import { rejected, type Answer, type Case, type Profile } from '../case.ts'

export type Row = readonly [title: string, section: string, answer: Answer]

export function rows(isTaken: boolean, table: readonly Row[], profile?: Profile): readonly Case[] {
  return table.map(([title, section, answer]) => ({
    title: `${title}: ${isTaken ? 'taken' : 'refused'}`,
    section,
    role: 'client',
    answer,
    ...(profile === undefined ? {} : { profile }),
    ...(isTaken ? {} : { end: rejected }),
  }))
}

export const with1 = (name: string, value: string | undefined): Answer => ({
  headers: [[name, value]],
})
export const twice = (name: string, one: string, other = one): Answer => ({
  headers: [
    [name, one],
    [name, other],
  ],
})
