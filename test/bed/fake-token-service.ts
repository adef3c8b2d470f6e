import {createServer} from 'node:http';
import {text as readText} from 'node:stream/consumers';

/** AWS's Security Token Service has no server that can be run here. It gives away what it is given. */
export interface FakeTokenService {
  endpoint: string;
  requests: URLSearchParams[];
  /** One for each request; the last for all that follow. */
  sessions: {accessKeyId: string; secretAccessKey: string}[];
  lifetimeMs: number;
  refuses: boolean;
  stop(): Promise<void>;
}

export async function startFakeTokenService(): Promise<FakeTokenService> {
  const server = createServer(async (request, response) => {
    const asked = new URLSearchParams(await readText(request));
    const action = asked.get('Action');
    fake.requests.push(asked);
    response.setHeader('content-type', 'text/xml');
    if (fake.refuses) {
      const refusal =
        '<Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRoleWithWebIdentity</Message>';
      response.writeHead(403).end(`<ErrorResponse><Error>${refusal}</Error></ErrorResponse>`);
      return;
    }
    const [session] = fake.sessions.length > 1 ? fake.sessions.splice(0, 1) : fake.sessions;
    const expiration = new Date(Date.now() + fake.lifetimeMs).toISOString();
    response.end(`<${action}Response><${action}Result><Credentials>
      <AccessKeyId>${session?.accessKeyId}</AccessKeyId>
      <SecretAccessKey>${session?.secretAccessKey}</SecretAccessKey><Expiration>${expiration}</Expiration>
      </Credentials></${action}Result></${action}Response>`);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it has no port');
  const fake: FakeTokenService = {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests: [],
    sessions: [],
    lifetimeMs: 3_600_000,
    refuses: false,
    stop: () => new Promise(resolve => void server.close(() => resolve()).closeAllConnections()),
  };
  return fake;
}
