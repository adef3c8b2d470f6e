import type {Store} from '../../src/repository/store.ts';

/** A store at which something happens at a certain request, such as that a pod is killed while its data is on the way. */
export interface FaultyStore extends Store {
  /** Called before each request; what it throws, the request ends with. */
  before: (operation: 'put' | 'get', key: string) => Promise<void>;
  /** Bytes that were put below `volumes/data/`. */
  dataBytes: number;
}

/** Once at the given request for data, `act` is called; everything waits for it. */
export const atData = (
  operation: 'put' | 'get',
  number: number,
  act: () => Promise<void>,
): FaultyStore['before'] => {
  let seen = 0;
  let acting: Promise<void> | undefined;
  return async (asked, key) => {
    if (asked !== operation || !key.startsWith('volumes/data/')) return;
    seen += 1;
    if (seen === number) acting = act();
    await acting;
  };
};

export const nothing: FaultyStore['before'] = async () => undefined;

export function makeFaulty(store: Store): FaultyStore {
  const faulty: FaultyStore = {
    url: store.url,
    before: nothing,
    dataBytes: 0,
    put: async (key, body, options) => {
      await faulty.before('put', key);
      await store.put(key, body, options);
      if (key.startsWith('volumes/data/')) faulty.dataBytes += body.length;
    },
    get: async (key, options) => {
      await faulty.before('get', key);
      return store.get(key, options);
    },
    has: (key, options) => store.has(key, options),
    list: (prefix, options) => store.list(prefix, options),
    delete: (key, options) => store.delete(key, options),
  };
  return faulty;
}
