/** One measured figure; `reference` is the other side of the comparison, in the same unit. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly reference: { readonly value: number; readonly what: string } | null;
}

export function figure(name: string, value: number, unit: string, reference: Figure['reference'] = null): Figure {
  return { name, value: Math.round(value * 1000) / 1000, unit, reference };
}

export function formatFigure({ name, value, unit, reference }: Figure): string {
  const beside = reference === null ? '' : `   (${reference.what}: ${reference.value} ${unit})`;
  return `${name.padEnd(44)} ${String(value).padStart(10)} ${unit}${beside}`;
}

/** One line for programs: the reference as a number, and beside it what it is. */
export function jsonFigure({ name, value, unit, reference }: Figure): string {
  return JSON.stringify({
    name,
    value,
    unit,
    reference: reference?.value ?? null,
    referenceIs: reference?.what ?? null,
  });
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}
