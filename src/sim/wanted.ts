/**
 * What each type should have of a space that knows everything at once: its part by target share, as far as there is work
 * for it; what one type cannot use goes to the others. Nothing is taken from a machine that runs, so a type whose work
 * has gone is due what it still holds.
 *
 * This is what an administrator wrote down, and what `vac shares` shows as wanted. The decision weighs machinegroups of
 * several types in another way (factory/shares.ts), so with such groups even a perfect space shows a difference here.
 */

export interface Claim {
  readonly share: number;
  /** Power that it holds now. */
  readonly held: number;
  /** Power that there is work for, that at work included; may be infinite. */
  readonly work: number;
}

/**
 * @param capacity power of the whole space
 * @returns for each claim the power that it should hold
 */
export function wanted(claims: readonly Claim[], capacity: number): number[] {
  const due = claims.map(({ held, work, share }) => (share <= 0 || work <= held ? held : 0));
  let open = claims
    .map((_, index) => index)
    .filter((index) => claims[index]!.share > 0 && claims[index]!.work > claims[index]!.held);
  let left = Math.max(0, capacity - due.reduce((sum, part) => sum + part, 0));
  // Who is satisfied by less than their part leaves the rest to the others, whose parts grow.
  for (;;) {
    const shares = open.reduce((sum, index) => sum + claims[index]!.share, 0);
    const satisfied = open.filter((index) => claims[index]!.work <= (left * claims[index]!.share) / shares);
    if (satisfied.length === 0) {
      for (const index of open) due[index] = (left * claims[index]!.share) / shares;
      return due;
    }
    for (const index of satisfied) {
      due[index] = claims[index]!.work;
      left -= claims[index]!.work;
    }
    open = open.filter((index) => !satisfied.includes(index));
  }
}
