#!/usr/bin/env bash
# Lints the OpenAPI document, makes clients of it with openapi-typescript and with
# orval, compiles them, and lets them call the service with a local AWS.
set -euo pipefail
cd "$(dirname "$0")"

rm -rf generated
mkdir generated
(cd ../.. && go build -o test/clients/generated/ecr-api .)
generated/ecr-api -local -listen 127.0.0.1:0 >generated/banner 2>generated/log &
service=$!
trap 'kill "$service"; wait "$service" || true' EXIT

# Nothing runs the scripts of packages: some only report home.
npm ci --ignore-scripts --no-audit --no-fund

for _ in $(seq 100); do
  ! grep -q 'export TOKEN' generated/banner || break
  sleep 0.1
done
eval "$(grep -E '^ *export (API|TOKEN)=' generated/banner)"
curl --silent --show-error --fail --output generated/openapi.json "${API%/v1/*}/v1/ecr/openapi.json"

npm run --silent lint
npm run --silent generate
npm run --silent compile
npm run --silent test
