/** What each machinetype got over a whole run, beside what its share would have had: what history is judged by. */

/** Parts of all power of the run, 0 to 1; null: nothing ran at all. */
export interface LongTermShare {
  readonly machinetype: string;
  /** Its part of all target shares, in the mean where they changed. */
  readonly target: number;
  readonly held: number | null;
  /** The same of the second half of the run: in the first, history is still made. */
  readonly heldSecondHalf: number | null;
}

export class LongTermMeter {
  /** Power × seconds by machinetype, in the first half and in the second. */
  readonly #power: readonly [Float64Array, Float64Array];
  readonly #targets: Float64Array;
  #seconds = 0;

  constructor(
    private readonly names: readonly string[],
    private readonly durationSeconds: number,
  ) {
    this.#power = [new Float64Array(names.length), new Float64Array(names.length)];
    this.#targets = new Float64Array(names.length);
  }

  /** So long, until now, so much ran, under such shares. */
  add(seconds: number, nowSeconds: number, power: ArrayLike<number>, shares: readonly number[]): void {
    const sums = this.#power[nowSeconds <= this.durationSeconds / 2 ? 0 : 1];
    const all = shares.reduce((sum, share) => sum + share, 0);
    this.#seconds += seconds;
    for (let type = 0; type < this.names.length; type += 1) {
      sums[type]! += power[type]! * seconds;
      if (all > 0) this.#targets[type]! += (shares[type]! / all) * seconds;
    }
  }

  result(): LongTermShare[] {
    const [first, second] = this.#power;
    const all = this.names.map((_, type) => first[type]! + second[type]!);
    return this.names.map((machinetype, type) => ({
      machinetype,
      target: this.#seconds === 0 ? 0 : this.#targets[type]! / this.#seconds,
      held: part(all, type),
      heldSecondHalf: part(second, type),
    }));
  }
}

function part(power: ArrayLike<number>, type: number): number | null {
  const sum = Array.from(power).reduce((total, each) => total + each, 0);
  return sum === 0 ? null : power[type]! / sum;
}
