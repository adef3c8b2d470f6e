locals {
  script = abspath("${path.module}/../../bin/local-cluster.js")
  images = flatten([
    for image in concat(var.images, compact([var.mover_image])) : ["--image", image]
  ])
}

# Removes the cluster. It is a resource of its own, made before the cluster, because Terraform runs no destroy
# provisioner of a resource whose creation failed: what a killed or failed creation left is removed all the same.
resource "terraform_data" "removal" {
  # A provisioner that destroys sees nothing but this.
  input = {
    name   = var.name
    node   = var.node_binary
    script = local.script
  }

  triggers_replace = [var.name, var.node, var.isolated, var.images]

  provisioner "local-exec" {
    when        = destroy
    interpreter = [self.input.node, self.input.script, "down", "--name"]
    command     = self.input.name
  }
}

# One real cluster in a network namespace of its own. Built in, so nothing is downloaded. The interpreter is the program
# itself and not a shell, so that no name or path is ever read as a command.
resource "terraform_data" "cluster" {
  input            = "/run/pra/${var.name}.json"
  triggers_replace = terraform_data.removal.id

  provisioner "local-exec" {
    interpreter = concat([var.node_binary, local.script, "up", "--name", var.name, "--node", var.node], local.images)
    command     = "--isolated=${var.isolated}"
  }
}

locals {
  # `output` is not known before the apply, so the file is read only when it is there. After a crash it may be
  # gone, and a destroy must work all the same.
  cluster = try(jsondecode(file(terraform_data.cluster.output)), null)
}
