import {arrayAt, at, isJsonObject, stringAt, withAt} from '../../std/json-at.ts';
import {Change, type Rule} from './rule.ts';

/**
 * A conversion webhook is served by a pod that does not run yet, so every write of such a kind would fail: conversion
 * is off until the workloads are up, then put back. `preserveUnknownFields: true`, which the v1 API refuses on create,
 * is said per version instead.
 */
export const crd: Rule = {
  name: 'custom-resource-definition',
  kinds: ['CustomResourceDefinition.apiextensions.k8s.io'],
  apply: object => {
    const change = new Change(object);
    if (stringAt(object, 'spec', 'conversion', 'strategy') === 'Webhook') {
      change.to(withAt(object, ['spec', 'conversion'], {strategy: 'None'}), {
        path: 'spec.conversion',
        reason: 'its conversion webhook is put back when the workloads are up',
      });
    }
    if (at(object, 'spec', 'preserveUnknownFields') === true) {
      const versions = arrayAt(object, 'spec', 'versions').map(version =>
        isJsonObject(version)
          ? withAt(version, ['schema', 'openAPIV3Schema', 'x-kubernetes-preserve-unknown-fields'], true)
          : version,
      );
      const modern = withAt(
        withAt(change.object, ['spec', 'versions'], versions),
        ['spec', 'preserveUnknownFields'],
        false,
      );
      change.to(modern, {
        path: 'spec.preserveUnknownFields',
        reason: 'said per version, as apiextensions v1 wants it',
      });
    }
    return change.verdict();
  },
};
