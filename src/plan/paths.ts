import {existsSync} from 'node:fs';
import {isAbsolute, join, resolve} from 'node:path';
import {packageRoot} from '../std/paths.ts';
import type {Plan} from './schema.ts';

/**
 * Makes the paths of a plan absolute. They start from the plan's folder; a Terraform module that is not there is looked
 * for in pra's own package, so that `terraform/local` works anywhere.
 */
export function resolvePaths(plan: Plan, dir: string): Plan {
  const {terraform} = plan.spec.target;
  const from = (path: string) => (isAbsolute(path) ? path : resolve(dir, path));
  const own = join(packageRoot(), terraform.dir);
  const moduleDir =
    !isAbsolute(terraform.dir) && !existsSync(from(terraform.dir)) && existsSync(own)
      ? own
      : from(terraform.dir);
  const {kubeconfig} = plan.spec.source;
  return {
    ...plan,
    spec: {
      ...plan.spec,
      source: {
        ...plan.spec.source,
        kubeconfig: kubeconfig.path === undefined ? kubeconfig : {...kubeconfig, path: from(kubeconfig.path)},
      },
      target: {
        ...plan.spec.target,
        terraform: {
          ...terraform,
          dir: moduleDir,
          ...(terraform.varFile === undefined ? {} : {varFile: from(terraform.varFile)}),
        },
      },
    },
  };
}
