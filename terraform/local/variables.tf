variable "name" {
  description = "Name of the cluster: lower-case letters, digits and dashes, 52 at most. Two clusters of one name cannot be."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$", var.name))
    error_message = "The name must be lower-case letters, digits and dashes, 52 at most."
  }
}

variable "node" {
  description = "kubelet: one node that runs real pods; kwok: one node that simulates them; none: API server and controllers only."
  type        = string
  default     = "kubelet"

  validation {
    condition     = contains(["kubelet", "kwok", "none"], var.node)
    error_message = "The node must be kubelet, kwok or none."
  }
}

variable "isolated" {
  description = "No way out of the cluster: no default route, and the host drops every connection that comes from it."
  type        = bool
  default     = true
}

variable "images" {
  description = "Image archives (docker-archive tar files) that are imported before pods can ask for them. Absolute paths."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for image in var.images : startswith(image, "/")])
    error_message = "The paths of images must be absolute."
  }
}

variable "mover_image" {
  description = "Image archive of the pods that fill volumes. pra passes its own when a plan needs it."
  type        = string
  default     = ""
}

variable "node_binary" {
  description = "Node.js 24 or later, which runs what brings the cluster up. pra passes its own."
  type        = string
  default     = "node"
}
