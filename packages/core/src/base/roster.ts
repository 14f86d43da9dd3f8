// Who is there: members that come and go all the time, and can be counted and gone through.
//   in  -> members, each of which keeps its own place
//   out -> a count; all of them, in no order that means anything
// Cheaper than a Set, whose tables are made anew again and again when entries come and go.

export interface RosterMember {
  /** Belongs to the roster: -1 while not in it. */
  rosterAt: number
}

export class Roster<M extends RosterMember> {
  private readonly members: M[] = []

  get size(): number {
    return this.members.length
  }

  /** `member` is in no roster. */
  add(member: M): void {
    member.rosterAt = this.members.length
    this.members.push(member)
  }

  /** False if it is not there. */
  delete(member: M): boolean {
    const { members } = this
    const at = member.rosterAt
    if (at < 0) return false
    member.rosterAt = -1
    const last = members.pop()!
    if (last !== member) {
      members[at] = last
      last.rosterAt = at
    }
    return true
  }

  /** A copy: members may leave meanwhile. */
  all(): readonly M[] {
    return [...this.members]
  }
}
