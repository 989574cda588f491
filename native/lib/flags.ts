/** Adds up the flags whose option is true. `table` gives each option's bit. */
export function combineFlags<Option extends string>(
  table: Readonly<Record<Option, number>>,
  options: { readonly [name in NoInfer<Option>]?: boolean | undefined },
): number {
  let flags = 0;
  for (const name of Object.keys(table) as Option[]) {
    if (options[name]) flags += table[name];
  }
  return flags;
}

/** Which configuration of a domain or network a change is made to. Neither given: the running one, else the stored one. */
export interface AffectOptions {
  readonly live?: boolean | undefined;
  readonly config?: boolean | undefined;
}

/** virDomainModificationImpact and virNetworkUpdateFlags, which have the same bits. */
export const affectFlags = (options: AffectOptions): number => combineFlags({ live: 1, config: 2 }, options);
