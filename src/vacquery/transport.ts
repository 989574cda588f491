/** What carries datagrams: sockets (`openDgramTransport`) or a network in memory (`MemoryNetwork`). */
export interface Transport {
  /** The port that datagrams arrive at. */
  readonly port: number;
  /** Sends, or loses the datagram without a word, as UDP does. Never throws. `address` is an IP address, no name. */
  send(datagram: Uint8Array, address: string, port: number): void;
  /** Who gets what arrives; one at a time, the last one set. The bytes may be kept. */
  onDatagram(listener: DatagramListener): void;
  close(): Promise<void>;
}

export type DatagramListener = (datagram: Uint8Array, from: Endpoint) => void;

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}
