/** Web servers for tests: ordinary ones, https with an authority of their own, and ones that speak bytes of ours. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import { join } from 'node:path';

export interface WebServer {
  /** Without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

interface Listening {
  listen(port: number, host: string, ready: () => void): unknown;
  address(): AddressInfo | string | null;
  close(done: () => void): unknown;
}

async function serve(server: Listening, scheme: string, host: string, cut: () => void, port = 0): Promise<WebServer> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `${scheme}://${host}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}

/** @param port a port that is known to be free, to come back where another server was */
export async function serveHttp(listener: RequestListener, port = 0): Promise<WebServer> {
  const server = createServer(listener);
  return await serve(server, 'http', '127.0.0.1', () => server.closeAllConnections(), port);
}

/** A server that sends what `speak` writes, be it HTTP or not, once a request's headers are there. */
export async function serveBytes(speak: (socket: Socket) => void): Promise<WebServer> {
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('data', () => speak(socket));
  });
  return await serve(server, 'http', '127.0.0.1', () => {
    for (const socket of sockets) socket.destroy();
  });
}

export interface Authority {
  /** Holds the certificate as grid sites keep them. */
  readonly directory: string;
  readonly server: { readonly key: Buffer; readonly cert: Buffer };
}

/** An authority and a certificate of it for `localhost`, valid for `days` (which may be in the past). */
export function makeAuthority(directory: string, days = 2): Authority {
  const certificates = join(directory, 'certificates');
  mkdirSync(certificates, { recursive: true });
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'certificates/ca.pem', '-subj', '/DC=org/CN=Test CA');
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'); // biome-ignore format: one command
  const ca = ['-CA', 'certificates/ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy'];
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', '-days', String(days), ...ca);
  return {
    directory: certificates,
    server: { key: readFileSync(join(directory, 'server.key')), cert: readFileSync(join(directory, 'server.pem')) },
  };
}

export async function serveHttps(authority: Authority, listener: RequestListener): Promise<WebServer> {
  const server = createHttpsServer({ ...authority.server }, listener);
  return await serve(server, 'https', 'localhost', () => server.closeAllConnections());
}
