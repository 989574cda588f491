/**
 * A small seeded generator (sfc32), uniform in [0, 1): the same seed gives the same run of a simulation. Not for secrets.
 */
export function seededRandom(seed: number): () => number {
  let [a, b, c, counter] = [seed | 0, 0x9e3779b9 | 0, 0x243f6a88 | 0, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // The first values show the seed's bits.
  for (let warmUp = 0; warmUp < 12; warmUp += 1) next();
  return next;
}
