// A web server inside a test host, for the files of a directory, with an ETag for each. Argument: the directory.
// It says `port N` once, then a line for each answer: `STATUS /path`.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';

const directory = process.argv[2];

const server = createServer((request, response) => {
  const path = join(directory, basename(request.url));
  const info = statSync(path, { throwIfNoEntry: false });
  const etag = info && `"${info.size}-${info.mtimeMs}"`;
  const status = info === undefined ? 404 : request.headers['if-none-match'] === etag ? 304 : 200;
  process.stdout.write(`${status} ${request.url}\n`);
  response.writeHead(status, info && { etag, ...(status === 200 && { 'content-length': info.size }) });
  if (status === 200) createReadStream(path).pipe(response);
  else response.end();
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${server.address().port}\n`));
