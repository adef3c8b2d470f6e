import {removeLocalCluster} from '../local/down.ts';
import {builtInTarget} from '../local/module.ts';

/**
 * The built-in local target can be removed by its name alone, so what it made is found even when Terraform itself was
 * killed before it could write its state.
 */
export async function removeStrayLocalCluster(
  target: {moduleDir: string; env: Record<string, string>},
  signal: AbortSignal,
): Promise<void> {
  const name = target.env.TF_VAR_name;
  if (name === undefined || target.moduleDir !== builtInTarget()) return;
  await removeLocalCluster({name, signal});
}
