import {randomBytes, timingSafeEqual} from 'node:crypto';
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {Store} from '../repository/store.ts';
import {answerRestic, bodyOf, type RestAnswer} from './restic-rest.ts';

/** Serves restic's repository to programs of this machine, read-only, to who knows the URL; it is given in the environment. */
export async function serveResticLocally(
  store: Store,
  signal: AbortSignal,
): Promise<{url: string; close(): void}> {
  const token = randomBytes(24).toString('base64url');
  const wanted = Buffer.from(`Basic ${Buffer.from(`pra:${token}`).toString('base64')}`);
  const isAllowed = (request: IncomingMessage) => {
    const given = Buffer.from(request.headers.authorization ?? '');
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  };
  const server = createServer((request, response) => {
    if (!isAllowed(request)) {
      response.writeHead(401).end();
      return;
    }
    const {method = 'GET', url: path = '/', headers} = request;
    answerRestic(
      store,
      {method, path, range: headers.range, body: () => bodyOf(request)},
      {access: 'read', signal},
    )
      .then(answer => send(response, answer))
      .catch(() => response.destroy());
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `rest:http://pra:${token}@127.0.0.1:${port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function send(response: ServerResponse, {status, headers, body}: RestAnswer): void {
  response.writeHead(status, {...(body ? {'content-length': String(body.length)} : {}), ...headers});
  response.end(body);
}
