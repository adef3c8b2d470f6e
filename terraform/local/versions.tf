terraform {
  # terraform_data with provisioners; the same for OpenTofu.
  required_version = ">= 1.6"
}
