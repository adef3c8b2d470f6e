const OWN =
  /^(admissionregistration|apiextensions|apiregistration|authentication|authorization|certificates|coordination|discovery|events|flowcontrol\.apiserver|internal\.apiserver|networking|node|rbac\.authorization|resource|scheduling|storage|storagemigration)\.k8s\.io$/;

/** Whether an API group is Kubernetes' own: without a dot, or one of its groups under k8s.io. Others are custom. */
export function isBuiltInGroup(group: string): boolean {
  return !group.includes('.') || OWN.test(group);
}
