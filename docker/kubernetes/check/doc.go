// Package check checks the files in docker/kubernetes and docker/ecs. It is its
// own module, so that the service does not depend on Kubernetes.
package check
