import type { CallOptions } from './calls.js';
import { NetworkCalls } from './networks.js';

export interface Nwfilter {
  readonly name: string;
  readonly uuid: string;
}

/** Calls about network filters, addressed by name or UUID; VIR_ERR_NO_NWFILTER when there is no such filter. */
export abstract class NwfilterCalls extends NetworkCalls {
  /** All filters (virConnectListAllNWFilters). */
  listNwfilters(options?: CallOptions): Promise<Nwfilter[]> {
    return this.call('listNwfilters', [], options);
  }

  /** virNWFilterGetXMLDesc. */
  nwfilterXml(filter: string, options?: CallOptions): Promise<string> {
    return this.call('nwfilterXml', [filter], options);
  }

  /** Stores a filter, or replaces it, at once for running domains too (virNWFilterDefineXML). */
  defineNwfilter(xml: string, options?: CallOptions): Promise<Nwfilter> {
    return this.call('defineNwfilter', [xml], options);
  }

  /** Forgets a filter; fails with VIR_ERR_OPERATION_INVALID while a domain uses it (virNWFilterUndefine). */
  async undefineNwfilter(filter: string, options?: CallOptions): Promise<void> {
    await this.call('undefineNwfilter', [filter], options);
  }
}
