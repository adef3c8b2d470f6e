output "kubeconfig_path" {
  description = "Kubeconfig of an administrator, readable by its owner only."
  value       = try(local.cluster.kubeconfigPath, null)
}

output "endpoint" {
  description = "URL of the API server."
  value       = try(local.cluster.endpoint, null)
}

output "facts" {
  description = "What is known of the cluster: provider, isolated, node, kubernetes, clusterUid, auditLog and more."
  value       = try(local.cluster.facts, null)
}
