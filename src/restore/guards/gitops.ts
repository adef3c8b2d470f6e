import {groupKindOf} from '../../snapshot/exclude.ts';
import {stringAt, withAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule, skip} from '../rules/rule.ts';

const FLUX = [
  'Kustomization.kustomize.toolkit.fluxcd.io',
  'HelmRelease.helm.toolkit.fluxcd.io',
  'GitRepository.source.toolkit.fluxcd.io',
  'HelmRepository.source.toolkit.fluxcd.io',
  'HelmChart.source.toolkit.fluxcd.io',
  'OCIRepository.source.toolkit.fluxcd.io',
  'Bucket.source.toolkit.fluxcd.io',
  'ImageRepository.image.toolkit.fluxcd.io',
  'ImageUpdateAutomation.image.toolkit.fluxcd.io',
  'Alert.notification.toolkit.fluxcd.io',
  'Receiver.notification.toolkit.fluxcd.io',
];

/** Where Argo CD keeps the switch that lets it write into clusters by itself. */
const AUTOMATED: Readonly<Record<string, readonly string[]>> = {
  'Application.argoproj.io': ['spec', 'syncPolicy', 'automated'],
  'ApplicationSet.argoproj.io': ['spec', 'template', 'spec', 'syncPolicy', 'automated'],
};

/** Guard 7: a GitOps tool in the drill must not write over what is restored, let alone into the source. */
export const gitopsSuspended: Rule = {
  name: 'gitops-suspended',
  kinds: [...FLUX, ...Object.keys(AUTOMATED)],
  guard: 7,
  apply: object => {
    const automated = AUTOMATED[groupKindOf(object)];
    const change = new Change(object);
    return automated
      ? change
          .to(withoutAt(object, automated), {path: automated.join('.'), reason: 'automatic sync is off'})
          .verdict()
      : change
          .to(withAt(object, ['spec', 'suspend'], true), {path: 'spec.suspend', reason: 'suspended'})
          .verdict();
  },
};

/** Guard 7: the credentials with which Argo CD reaches other clusters stay out. */
export const argoClusterSecrets: Rule = {
  name: 'argo-cluster-secret',
  kinds: ['Secret'],
  guard: 7,
  apply: object =>
    stringAt(object, 'metadata', 'labels', 'argocd.argoproj.io/secret-type') === 'cluster'
      ? skip('opens a cluster to Argo CD, which a drill must not reach')
      : undefined,
};
