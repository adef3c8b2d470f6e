import {connect, createServer, type Socket} from 'node:net';

/** A TCP relay on loopback whose connections can be cut, to see what a broken network does. */
export interface Relay {
  port: number;
  /** Breaks all connections of the moment; new ones go through. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startRelay(host: string, port: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer(near => {
    const far = connect(port, host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const stop = async () => {
    const closed = new Promise(resolve => server.close(resolve));
    cut();
    await closed;
  };
  return {port: address.port, cut, stop};
}
