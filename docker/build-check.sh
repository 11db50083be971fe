#!/usr/bin/env bash
# Builds the image from the Dockerfile and checks it. It needs neither
# Docker nor a registry: buildah builds the image as root, with chroot. If buildah
# is missing, it is installed from Debian's packages. The Dockerfile's base image
# is replaced by one of the same name, made from this machine's Go and certificates.
# A replacement cannot have the digest of that name, so the digest is taken out.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'image: %s\n' "$*" >&2; exit 1; }
skip() { printf 'image: SKIPPED, nothing was built or checked, because %s\n' "$*"; exit 0; }

[ "$(id -u)" = 0 ] || fail 'run this as root: it makes mounts'

if ! command -v buildah >/dev/null || ! command -v busybox >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends buildah busybox-static >/dev/null
fi

# The kernel must let root mount and chroot. This cannot be installed.
unshare --mount --propagation private true 2>/dev/null ||
  skip 'the kernel does not let root make a mount namespace'

# Everything that buildah stores is in one folder, which is removed at the end.
work=$(mktemp -d)
service=
cleanup() {
  if [ -n "$service" ]; then kill "$service" && wait "$service"; fi || true
  buildah umount --all >/dev/null 2>&1 || true
  buildah rm --all >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
export CONTAINERS_STORAGE_CONF=$work/storage.conf BUILDAH_ISOLATION=chroot TMPDIR=$work
printf '[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/graph"\n' "$work" "$work" >"$work/storage.conf"
printf '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/policy.json"

# The replacement of the base image has a shell, the certificates, and an empty
# folder for Go, which is mounted there during the build.
sed 's/^\(FROM .*\)@sha256:[0-9a-f]* AS build$/\1 AS build/' Dockerfile >"$work/Dockerfile"
base=$(sed -n 's/^FROM \(.*\) AS build$/\1/p' "$work/Dockerfile")
from=$(buildah from scratch)
root=$(buildah mount "$from")
mkdir -p "$root"/{bin,tmp,root,etc/ssl/certs,usr/local/go,go/pkg/mod}
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in sh mkdir cat cp; do ln -s busybox "$root/bin/$applet"; done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
buildah config --env PATH=/usr/local/go/bin:/bin --env HOME=/root --env GOPATH=/go --env GOCACHE=/gocache --env GOTOOLCHAIN=local "$from"
buildah umount "$from" >/dev/null
buildah commit --quiet --signature-policy "$work/policy.json" "$from" "docker.io/library/$base" >/dev/null
buildah rm "$from" >/dev/null

# The build uses this machine's module proxy settings, and its caches of modules
# and compiled packages, so that nothing is downloaded or compiled twice.
version=v0.0.0-check githash=0123abc buildstamp=2026-01-02T03:04:05Z
buildah build --quiet --format docker --pull-never --network host --signature-policy "$work/policy.json" \
  --volume "$(go env GOROOT):/usr/local/go:ro" --volume "$(go env GOMODCACHE):/go/pkg/mod" \
  --volume "$(go env GOCACHE):/gocache" \
  --file "$work/Dockerfile" --build-arg TOOLCHAIN=local \
  --build-arg "GOPROXY=$(go env GOPROXY)" --build-arg "GOSUMDB=$(go env GOSUMDB)" \
  --build-arg VERSION=$version --build-arg GITHASH=$githash --build-arg BUILDSTAMP=$buildstamp \
  --tag ecr-api:check . >"$work/build.log" 2>&1 || { cat "$work/build.log"; fail 'it does not build'; }

# want compares a value in the image's configuration with the one expected.
want() { # what format value
  local got
  got=$(buildah inspect --type image --format "$2" ecr-api:check)
  [ "$got" = "$3" ] || fail "$1 is $got, want $3"
  printf '%-12s %s\n' "$1" "$got"
}
want user '{{.Docker.Config.User}}' 65532:65532
want entrypoint '{{.Docker.Config.Entrypoint}}' '[/ecr-api]'
want healthcheck '{{.Docker.Config.Healthcheck.Test}}' '[CMD /ecr-api -healthcheck]'
label() { want "$1" "{{index .Docker.Config.Labels \"org.opencontainers.image.$1\"}}" "$2"; }
label title ecr-api
label source https://github.com/YaleSpinup/ecr-api
label licenses AGPL-3.0-only
label version $version
label revision $githash
label created $buildstamp

image=$(buildah from --pull-never --signature-policy "$work/policy.json" ecr-api:check)
root=$(buildah mount "$image")

files=$(cd "$root" && find . -type f -not -path './licenses/*' | sort | tr '\n' ' ')
[ "$files" = './ecr-api ./ecr-api.cdx.json ./etc/ssl/certs/ca-certificates.crt ' ] || fail "it has other files: $files"

# Each module of the program has its license and its notice in the image, and is
# in the list of modules.
cmp LICENSE "$root/licenses/LICENSE"
cmp "$(go env GOROOT)/LICENSE" "$root/licenses/go/LICENSE"
modules=0
while read -r module release folder; do
  modules=$((modules + 1))
  grep -qF "\"pkg:golang/$module@$release?type=module\"" "$root/ecr-api.cdx.json" || fail "ecr-api.cdx.json lacks $module $release"
  [ -n "$(find "$root/licenses/$module" -name 'LICENSE*' -print -quit)" ] || fail "it has no license of $module"
  for notice in "$folder"/NOTICE*; do
    [ ! -e "$notice" ] || find "$root/licenses/$module" -name "${notice##*/}" -exec cmp -s "$notice" {} \; -print | grep -q . || fail "it lacks $notice"
  done
done < <(go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' . | sort -u)
[ "$modules" -gt 0 ] || fail 'no modules were compared'
for notice in docker/licenses/*/*; do cmp "$notice" "$root/${notice#docker/}"; done
printf '%-12s of %s modules, Swagger UI and Go\n' licenses "$modules"
size=$(du --summarize --bytes "$root" | cut -f1)
[ "$size" -lt $((30 << 20)) ] || fail "it has $size bytes, more than 30 MiB"
printf '%-12s %s MiB\n' size "$((size >> 20))"
# ldd fails on a program that needs no loader.
! ldd "$root/ecr-api" >/dev/null 2>&1 || fail 'the program is not static'

# inside runs the program in the image, as its user. It has no other TMPDIR there.
inside() { env --unset TMPDIR chroot --userspec=65532:65532 "$root" /ecr-api "$@"; }
said=$(inside -version)
[ "$said" = "$(printf 'ecr-api %s\ngit hash %s\nbuilt %s' $version $githash $buildstamp)" ] || fail "-version says: $said"
printf '%s\n' "$said"

if inside -healthcheck -local -listen 127.0.0.1:1 2>"$work/nobody"; then fail 'the health check passes although nothing runs'; fi
env --unset TMPDIR chroot --userspec=65532:65532 "$root" /ecr-api -local -listen 127.0.0.1:0 >"$work/banner" 2>"$work/log" &
service=$!
address=
for _ in $(seq 100); do
  address=$(sed -n 's/.*"msg":"listening".*"url":"http:\/\/\([^"]*\)".*/\1/p' "$work/log")
  [ -z "$address" ] || break
  sleep 0.1
done
inside -healthcheck -local -listen "$address" || { cat "$work/log"; fail 'the service runs, but the health check fails'; }
echo 'the health check passes once the service runs, and not before'
