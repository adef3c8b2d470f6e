import {PraError} from '../errors.ts';

/** Whether the local target can run here at all. */
export const isLinuxRoot = () => process.platform === 'linux' && process.getuid?.() === 0;

/** What works on every system, in one sentence for people. */
export const ELSEWHERE =
  'use any Terraform module that meets docs/reference/target-contract.md as spec.target.terraform.dir';

/** @throws PraError PLATFORM_UNSUPPORTED unless this is Linux and root. */
export function requireLinuxRoot(): void {
  if (isLinuxRoot()) return;
  throw new PraError('PLATFORM_UNSUPPORTED', 'the local target needs Linux and root', {
    why:
      process.platform === 'linux'
        ? 'it makes network namespaces, mounts and cgroups, and this is not root'
        : `this is ${process.platform}`,
    next: [ELSEWHERE],
  });
}
