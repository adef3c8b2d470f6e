import {Flags} from '@oclif/core';

/** Flags that several commands share, with the letters that kubectl uses. */
export const clusterFlags = {
  kubeconfig: Flags.file({description: 'kubeconfig of the source cluster', helpGroup: 'CLUSTER'}),
  context: Flags.string({description: 'context of the source cluster', helpGroup: 'CLUSTER'}),
};

export const repositoryFlags = {
  repository: Flags.string({
    description: 'URL of the repository, instead of that of the plan (file:///folder, s3://bucket/prefix)',
    helpGroup: 'REPOSITORY',
  }),
  plan: Flags.string({
    char: 'f',
    description: 'plan file that says where the repository is',
    helpGroup: 'REPOSITORY',
  }),
};
