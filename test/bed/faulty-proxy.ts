import {createServer, type IncomingHttpHeaders, request, type ServerResponse} from 'node:http';

/** What a server or a network does now and then cannot be had from a real one on demand. */
export interface FaultyProxy {
  endpoint: string;
  /** Every request that came. */
  requests: {method: string; url: string; headers: IncomingHttpHeaders; atMs: number}[];
  /** `METHOD path` of each. */
  lines(): string[];
  /** Taken from the front, one for each request; then all go through. */
  next: ('pass' | 'lose the answer' | 'cut the answer' | {status: number; code: string})[];
  stop(): Promise<void>;
}

/** A proxy in front of an S3 server; signatures hold, because the Host header goes through as it is. */
export async function startFaultyProxy(endpoint: string): Promise<FaultyProxy> {
  const requests: FaultyProxy['requests'] = [];
  const next: FaultyProxy['next'] = [];
  const answer = (response: ServerResponse, status: number, code: string) => {
    response.writeHead(status, {'content-type': 'application/xml'});
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`);
  };
  const server = createServer((incoming, response) => {
    const {method = '', url = '/', headers} = incoming;
    requests.push({method, url, headers, atMs: performance.now()});
    const fault = next.shift();
    if (typeof fault === 'object') {
      incoming.resume().once('end', () => answer(response, fault.status, fault.code));
      return;
    }
    const outgoing = request(new URL(url, endpoint), {method, headers}, upstream => {
      if (fault === 'lose the answer') upstream.resume().once('end', () => response.destroy());
      else {
        response.writeHead(upstream.statusCode ?? 500, upstream.headers);
        if (fault === 'cut the answer')
          upstream.once('data', chunk => {
            upstream.destroy();
            response.write(chunk, () => response.destroy());
          });
        else upstream.pipe(response);
      }
    });
    outgoing.on('error', () => response.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    lines: () => requests.map(({method, url}) => `${method} ${url}`),
    next,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
