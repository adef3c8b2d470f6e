import {z} from 'zod';
import {PraError} from '../errors.ts';

/** What any Terraform module must output to be a target; docs/reference/target-contract.md. */
const targetOutputs = z.object({
  kubeconfig_path: z
    .string()
    .min(1)
    .describe('path of a kubeconfig, written by the module, for the new cluster'),
  endpoint: z.url().describe('URL of the API server'),
  facts: z
    .looseObject({
      provider: z.string().describe('who made the cluster: local, eks, gke …'),
      isolated: z.boolean().describe('whether the infrastructure denies egress from the cluster'),
    })
    .describe('what is known about the cluster, for guards and evidence'),
});

export interface TargetOutputs {
  kubeconfigPath: string;
  endpoint: string;
  facts: Record<string, unknown> & {provider: string; isolated: boolean};
}

const rawOutputs = z.record(z.string(), z.object({value: z.unknown()}));

/**
 * Reads the JSON of `terraform output -json`, before which OpenTofu prints its warnings.
 * @throws PraError TARGET_CONTRACT that lists each output that is missing or has the wrong type.
 */
export function parseTargetOutputs(json: string, moduleDir: string): TargetOutputs {
  const values = Object.fromEntries(
    Object.entries(rawOutputs.parse(JSON.parse(json.slice(Math.max(0, json.search(/^\{/m)))))).map(
      ([name, output]) => [name, output.value],
    ),
  );
  const parsed = targetOutputs.safeParse(values);
  if (parsed.success) {
    return {
      kubeconfigPath: parsed.data.kubeconfig_path,
      endpoint: parsed.data.endpoint,
      facts: parsed.data.facts,
    };
  }
  throw new PraError(
    'TARGET_CONTRACT',
    `the Terraform module ${moduleDir} is not a target that pra can use`,
    {
      findings: parsed.error.issues.map(issue => ({
        message: `output ${issue.path.join('.')}: ${issue.message}`,
      })),
      next: ['add the outputs described in docs/reference/target-contract.md to the module'],
    },
  );
}
