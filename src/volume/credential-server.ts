import {randomBytes} from 'node:crypto';
import {createServer} from 'node:http';
import type {StoreCredentials} from '../repository/s3/credentials.ts';

/**
 * Gives credentials to programs on this machine as containers get them, so that what ends in the middle of a long run is
 * renewed: a variable could not be. On loopback, and only to who knows the token. It keeps no process alive.
 */
export async function serveCredentials(
  credentials: () => Promise<StoreCredentials>,
): Promise<{url: string; token: string}> {
  const token = randomBytes(32).toString('base64url');
  const server = createServer(async (request, response) => {
    response.setHeader('connection', 'close');
    if (request.headers.authorization !== token) {
      response.writeHead(403).end();
      return;
    }
    const found = await credentials().catch(() => undefined);
    if (!found) {
      response.writeHead(503).end();
      return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        AccessKeyId: found.accessKeyId,
        SecretAccessKey: found.secretAccessKey,
        Token: found.sessionToken,
        Expiration: found.expiration?.toISOString(),
      }),
    );
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {url: `http://127.0.0.1:${port}/`, token};
}
