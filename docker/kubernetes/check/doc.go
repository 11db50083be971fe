// Package check holds docker/kubernetes and docker/ecs to what they must be. It
// is a module of its own, so that nothing of Kubernetes is in the service's.
package check
