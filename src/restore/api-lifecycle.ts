/**
 * When Kubernetes began and ceased to serve versions of its kinds: `group/version Kind introduced removed`, minor
 * versions of Kubernetes 1, `-` where none is known. Facts of the API lifecycle markers in k8s.io/api 0.37, and of
 * Kubernetes' deprecation guide for PodSecurityPolicy, CustomResourceDefinition and APIService, which it does not hold.
 */
const LIFECYCLE = `
admissionregistration.k8s.io/v1 MutatingAdmissionPolicy 36 -
admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding 36 -
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy 30 -
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding 30 -
admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicy 32 38
admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicyBinding 32 38
admissionregistration.k8s.io/v1alpha1 ValidatingAdmissionPolicy 26 32
admissionregistration.k8s.io/v1alpha1 ValidatingAdmissionPolicyBinding 26 32
admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicy 34 40
admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicyBinding 34 40
admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration 9 22
admissionregistration.k8s.io/v1beta1 ValidatingAdmissionPolicy 28 34
admissionregistration.k8s.io/v1beta1 ValidatingAdmissionPolicyBinding 28 34
admissionregistration.k8s.io/v1beta1 ValidatingWebhookConfiguration 9 22
apiextensions.k8s.io/v1beta1 CustomResourceDefinition 7 22
apiregistration.k8s.io/v1beta1 APIService 7 22
apps/v1beta1 ControllerRevision 7 16
apps/v1beta1 Deployment 6 16
apps/v1beta1 StatefulSet 5 16
apps/v1beta2 ControllerRevision 8 16
apps/v1beta2 DaemonSet 8 16
apps/v1beta2 Deployment 8 16
apps/v1beta2 ReplicaSet 8 16
apps/v1beta2 StatefulSet 8 16
autoscaling/v2 HorizontalPodAutoscaler 23 -
autoscaling/v2beta1 HorizontalPodAutoscaler 8 25
autoscaling/v2beta2 HorizontalPodAutoscaler 12 26
batch/v1 CronJob 21 -
batch/v1beta1 CronJob 8 25
certificates.k8s.io/v1 ClusterTrustBundle 37 -
certificates.k8s.io/v1 PodCertificateRequest 37 -
certificates.k8s.io/v1alpha1 ClusterTrustBundle 26 37
certificates.k8s.io/v1beta1 CertificateSigningRequest 12 22
certificates.k8s.io/v1beta1 ClusterTrustBundle 33 40
certificates.k8s.io/v1beta1 PodCertificateRequest 35 40
coordination.k8s.io/v1alpha2 LeaseCandidate 32 38
coordination.k8s.io/v1beta1 Lease 12 22
coordination.k8s.io/v1beta1 LeaseCandidate 33 39
discovery.k8s.io/v1 EndpointSlice 21 -
discovery.k8s.io/v1beta1 EndpointSlice 16 25
extensions/v1beta1 DaemonSet 1 16
extensions/v1beta1 Deployment 1 16
extensions/v1beta1 Ingress 1 22
extensions/v1beta1 NetworkPolicy 3 16
extensions/v1beta1 PodSecurityPolicy 3 16
extensions/v1beta1 ReplicaSet 2 16
flowcontrol.apiserver.k8s.io/v1 FlowSchema 29 -
flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration 29 -
flowcontrol.apiserver.k8s.io/v1beta1 FlowSchema 20 26
flowcontrol.apiserver.k8s.io/v1beta1 PriorityLevelConfiguration 20 26
flowcontrol.apiserver.k8s.io/v1beta2 FlowSchema 23 29
flowcontrol.apiserver.k8s.io/v1beta2 PriorityLevelConfiguration 23 29
flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema 26 32
flowcontrol.apiserver.k8s.io/v1beta3 PriorityLevelConfiguration 26 32
lifecycle.k8s.io/v1alpha1 EvictionRequest 37 43
networking.k8s.io/v1 IPAddress 33 -
networking.k8s.io/v1 ServiceCIDR 33 -
networking.k8s.io/v1alpha1 IPAddress 27 33
networking.k8s.io/v1alpha1 ServiceCIDR 27 33
networking.k8s.io/v1beta1 IPAddress 31 37
networking.k8s.io/v1beta1 Ingress 14 22
networking.k8s.io/v1beta1 IngressClass 18 22
networking.k8s.io/v1beta1 ServiceCIDR 31 37
node.k8s.io/v1beta1 RuntimeClass 13 25
policy/v1 PodDisruptionBudget 21 -
policy/v1beta1 PodDisruptionBudget 5 25
policy/v1beta1 PodSecurityPolicy 10 25
rbac.authorization.k8s.io/v1beta1 ClusterRole 6 22
rbac.authorization.k8s.io/v1beta1 ClusterRoleBinding 6 22
rbac.authorization.k8s.io/v1beta1 Role 6 22
rbac.authorization.k8s.io/v1beta1 RoleBinding 6 22
resource.k8s.io/v1 DeviceClass 34 -
resource.k8s.io/v1 DeviceTaintRule 37 -
resource.k8s.io/v1 ResourceClaim 34 -
resource.k8s.io/v1 ResourceClaimTemplate 34 -
resource.k8s.io/v1 ResourceSlice 34 -
resource.k8s.io/v1alpha3 DeviceTaintRule 33 39
resource.k8s.io/v1alpha3 ResourcePoolStatusRequest 36 42
resource.k8s.io/v1beta1 DeviceClass 32 38
resource.k8s.io/v1beta1 ResourceClaim 32 38
resource.k8s.io/v1beta1 ResourceClaimTemplate 32 38
resource.k8s.io/v1beta1 ResourceSlice 32 38
resource.k8s.io/v1beta2 DeviceClass 33 39
resource.k8s.io/v1beta2 DeviceTaintRule 36 42
resource.k8s.io/v1beta2 ResourceClaim 33 39
resource.k8s.io/v1beta2 ResourceClaimTemplate 33 39
resource.k8s.io/v1beta2 ResourceSlice 33 39
scheduling.k8s.io/v1beta1 PodGroup 37 43
scheduling.k8s.io/v1beta1 PriorityClass 11 22
scheduling.k8s.io/v1beta1 Workload 37 43
storage.k8s.io/v1 CSIStorageCapacity 24 -
storage.k8s.io/v1 VolumeAttributesClass 34 -
storage.k8s.io/v1alpha1 CSIStorageCapacity 19 24
storage.k8s.io/v1alpha1 VolumeAttachment 9 24
storage.k8s.io/v1alpha1 VolumeAttributesClass 29 35
storage.k8s.io/v1beta1 CSIDriver 14 22
storage.k8s.io/v1beta1 CSINode 14 22
storage.k8s.io/v1beta1 CSIStorageCapacity 21 27
storage.k8s.io/v1beta1 StorageClass 4 22
storage.k8s.io/v1beta1 VolumeAttachment 10 22
storage.k8s.io/v1beta1 VolumeAttributesClass 31 37
storagemigration.k8s.io/v1 StorageVersionMigration 37 -
storagemigration.k8s.io/v1alpha1 StorageVersionMigration 30 36
storagemigration.k8s.io/v1beta1 StorageVersionMigration 35 40
`;

interface Lifespan {
  introduced: number;
  /** The first version that does not serve it any more. */
  removed: number;
}

const lifespans = new Map(
  LIFECYCLE.trim()
    .split('\n')
    .map(line => {
      const [version = '', kind = '', introduced = '', removed = ''] = line.split(' ');
      const end = removed === '-' ? Number.POSITIVE_INFINITY : Number(removed);
      return [`${version} ${kind}`, {introduced: Number(introduced), removed: end}] as const;
    }),
);

/** The minor version in `v1.34.4` or `1.34`; undefined when it is neither. */
export function minorOf(version: string): number | undefined {
  const minor = /^v?1\.(\d+)/.exec(version)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

/**
 * Why a version of Kubernetes does not serve a kind of its own in a version of its group.
 * @returns undefined when it does, or when nothing is known of it.
 */
export function reasonNotServed(apiVersion: string, kind: string, kubernetes: string): string | undefined {
  const minor = minorOf(kubernetes);
  const span: Lifespan | undefined = lifespans.get(`${apiVersion} ${kind}`);
  if (minor === undefined || span === undefined) return undefined;
  if (minor >= span.removed)
    return `Kubernetes serves ${apiVersion} ${kind} no longer since 1.${span.removed}`;
  return minor < span.introduced
    ? `Kubernetes serves ${apiVersion} ${kind} only since 1.${span.introduced}`
    : undefined;
}
