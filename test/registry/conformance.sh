#!/usr/bin/env bash
# Runs the conformance program of the OCI distribution specification against the
# registry of the local AWS. No test may fail, and so many must pass that a run
# without tests is no success. The program reports to the directory given, or to
# one that is removed afterwards.
set -euo pipefail
cd "$(dirname "$0")/../.."

program=github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111
least=499 # tests that must pass

work=$(mktemp -d)
results=${1:-$work/results}
go build -o "$work/ecr-api" .
"$work/ecr-api" -local-aws 127.0.0.1:0 >"$work/said" &
aws=$!
trap 'kill "$aws"; wait "$aws" || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do
  ! grep -q 'listens on' "$work/said" || break
  sleep 0.1
done
url=$(sed -n 's/^a local AWS listens on //p' "$work/said")

# ecr OPERATION INPUT does an operation of ECR. Any key is the administrator's.
ecr() {
  curl --silent --show-error --fail --aws-sigv4 aws:amz:us-east-1:ecr --user any:any \
    -H 'Content-Type: application/x-amz-json-1.1' -H "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.$1" \
    --data "$2" "$url/"
}
ecr CreateRepository '{"repositoryName": "conformance/one"}' >"$work/one"
ecr CreateRepository '{"repositoryName": "conformance/two"}' >"$work/two"
login=$(ecr GetAuthorizationToken '{}' | sed -n 's/.*"authorizationToken":"\([^"]*\)".*/\1/p' | base64 --decode)

# ECR has layers by SHA-256 only, and no call that deletes one.
OCI_VERSION=1.1 OCI_DATA_SHA512=false OCI_API_BLOBS_DELETE=false OCI_API_BLOBS_UPLOAD_CANCEL=true \
  OCI_API_BLOBS_DIGEST_HEADER=true OCI_API_MANIFESTS_DIGEST_HEADER=true \
  OCI_REGISTRY=${url#http://} OCI_TLS=disabled OCI_USERNAME=${login%%:*} OCI_PASSWORD=${login#*:} \
  OCI_REPO1=012345678901/us-east-1/conformance/one OCI_REPO2=012345678901/us-east-1/conformance/two \
  OCI_RESULTS_DIR=$results go run "$program" || true

count() { grep -c "status=\"$1\"" "$results/junit.xml" || true; }
passed=$(count passed) failed=$(count failure) errors=$(count error)
echo "passed $passed, failed $failed, errors $errors"
[ "$failed" -eq 0 ] && [ "$errors" -eq 0 ] && [ "$passed" -ge "$least" ]
