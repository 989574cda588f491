/** What vacd and the child that serves /metrics agree on. */

export const METRICS_PART = 'metrics';
/** However many scrape, the text is asked for once in so long. */
export const TEXT_MS = 1_000;
