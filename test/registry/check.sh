#!/usr/bin/env bash
# Lets crane, skopeo, buildah, oras and docker push to the registry of the local AWS
# and pull from it, and runs the session of the README with docker and with crane.
# What is missing is installed: from Debian's packages, which needs root, or by its
# version into a temporary directory. All the files of the clients are there, too.
set -euo pipefail
cd "$(dirname "$0")/../.."

crane=github.com/google/go-containerregistry/cmd/crane@v0.22.1
oras=oras.land/oras/cmd/oras@v1.3.6

missing=()
for program in skopeo buildah jq curl; do
  command -v "$program" >/dev/null || missing+=("$program")
done
command -v docker >/dev/null && command -v dockerd >/dev/null || missing+=(docker.io)
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

work=$(mktemp -d)
daemon=
cleanup() {
  if [ -n "$daemon" ]; then kill "$daemon" && wait "$daemon"; fi || true
  rm -rf "$work"
}
trap cleanup EXIT

GOBIN=$work/bin go install "$crane"
GOBIN=$work/bin go install "$oras"
export PATH=$work/bin:$PATH NEEDED_CLIENTS='crane skopeo buildah oras'

# A daemon of our own, without a network for containers: none is run. It may share
# containerd with the machine's daemon.
export DOCKER_HOST=unix://$work/docker.sock
dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" \
  --containerd-namespace registry --containerd-plugins-namespace registry-plugins \
  --bridge none --iptables=false --storage-driver vfs >"$work/dockerd.log" 2>&1 &
daemon=$!
for _ in $(seq 300); do
  if docker info >"$work/info" 2>&1 || ! kill -0 "$daemon" 2>/dev/null; then break; fi
  sleep 0.1
done
if docker info >"$work/info" 2>&1; then
  NEEDED_CLIENTS+=' docker'
else
  tail -n 3 "$work/dockerd.log"
  echo 'registry: docker is left out, because its daemon cannot run here'
fi

# The test cache does not know which clients there are.
go test -count=1 ./test/registry
go test -count=1 -run 'TestReadmeSession|TestLocalDocker' ./test/program
