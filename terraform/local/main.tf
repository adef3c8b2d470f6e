locals {
  images  = join(" ", [for image in var.images : "--image '${image}'"])
  command = "'${var.node_binary}' '${abspath("${path.module}/../../bin/local-cluster.js")}'"
}

# One real cluster in a network namespace of its own. Built in, so nothing is downloaded.
resource "terraform_data" "cluster" {
  # A provisioner that destroys sees nothing but this.
  input = {
    name    = var.name
    command = local.command
    outputs = "/run/pra/${var.name}.json"
  }

  triggers_replace = [var.name, var.node, var.isolated, var.images]

  provisioner "local-exec" {
    command = "exec ${local.command} up --name '${var.name}' --node '${var.node}' --isolated '${var.isolated}' ${local.images}"
  }

  provisioner "local-exec" {
    when    = destroy
    command = "exec ${self.input.command} down --name '${self.input.name}'"
  }
}

locals {
  # `output` is not known before the apply, so the file is read only when it is there. After a crash it may be
  # gone, and a destroy must work all the same.
  cluster = try(jsondecode(file(terraform_data.cluster.output.outputs)), null)
}
