import {z} from 'zod';
import type {KubeObject} from '../cluster/object.ts';

const essentials = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({name: z.string(), namespace: z.string().optional()}),
});

/** An object read back from a repository. The rest of its shape is the API server's to judge. */
export const storedObjectSchema = z.custom<KubeObject>(
  value => essentials.safeParse(value).success,
  'not a Kubernetes object',
);
