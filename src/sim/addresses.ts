/** Names and addresses of the factories of a simulated space. */

/** Of factory number `index`; room for 16 million. */
export function addressOf(index: number): string {
  return `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
}

export function indexOf(address: string): number {
  const [, high = 0, middle = 0, low = 0] = address.split('.').map(Number);
  return high * 65_536 + middle * 256 + low;
}

export function factoryName(index: number): string {
  return `wn${String(index).padStart(4, '0')}.sim.example.com`;
}
