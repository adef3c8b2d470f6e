import {Flags} from '@oclif/core';
import type {Subject} from '../cluster/rbac.ts';
import {PraError} from '../errors.ts';

/** Who gets permissions that a command prints. */
export const subjectFlags = {
  'service-account': Flags.string({
    description: 'who gets the permissions',
    helpValue: 'NAMESPACE/NAME',
    default: 'pra/pra',
  }),
  user: Flags.string({description: 'a user instead', exclusive: ['group']}),
  group: Flags.string({description: 'a group instead'}),
};

interface SubjectFlags {
  'service-account': string;
  user?: string | undefined;
  group?: string | undefined;
}

/** @throws PraError USAGE when the service account is not written as NAMESPACE/NAME */
export function subjectOf({user, group, 'service-account': account}: SubjectFlags): Subject {
  if (user !== undefined) return {kind: 'User', name: user};
  if (group !== undefined) return {kind: 'Group', name: group};
  const [namespace, name, ...more] = account.split('/');
  if (!namespace || !name || more.length > 0)
    throw new PraError('USAGE', '--service-account is NAMESPACE/NAME');
  return {kind: 'ServiceAccount', name, namespace};
}
