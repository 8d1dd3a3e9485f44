#!/usr/bin/env bash
# Fetches what the projects of the APIs publish of them, and prints the folder, which tests/deploy/schemas.rs expects in
# GATEPOST_DEPLOY_MODULES: kubernetes.json, compose.json, and custom resource definitions in crds/. Go verifies each module
# by its checksum database.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

KUBERNETES=k8s.io/kubernetes@v1.37.2
ISTIO=istio.io/api@v1.31.1
# It carries the Gateway API that it is made for.
ENVOY_GATEWAY=github.com/envoyproxy/gateway@v1.9.1
COMPOSE=github.com/compose-spec/compose-go/v2@v2.16.2
# Raise it when this script lays out the folder differently, so that existing checkouts do it again.
RECIPE=1

lock
home=$TOOLS/deploy-schemas
version="$KUBERNETES $ISTIO $ENVOY_GATEWAY $COMPOSE $RECIPE"
if stamped deploy-schemas "$version" && [[ -d $home ]]; then
    say "the APIs' definitions are there already"
    printf '%s\n' "$home"
    exit
fi

go=$(command -v go || command -v /usr/local/go/bin/go) ||
    die "Go fetches the APIs' modules (Debian: apt-get install golang-go; others: https://go.dev)"
rm -rf "$home" "$home.tmp"
mkdir -p "$home.tmp/crds"

# module MODULE@VERSION: fetches it and prints its folder. Its source alone: nothing of it is built.
module() {
    say "fetching $1"
    (cd "$home.tmp" && "$go" mod download -json "$1") |
        python3 -c 'import json, sys; answer = json.load(sys.stdin); sys.exit(answer["Error"]) if "Error" in answer else print(answer["Dir"])' ||
        die "Go could not fetch $1; the reason stands above. 'make deploy-schemas' resumes here."
}

folder=$(module "$KUBERNETES")
install -m 644 "$folder/api/openapi-spec/swagger.json" "$home.tmp/kubernetes.json"
folder=$(module "$COMPOSE")
install -m 644 "$folder/schema/compose-spec.json" "$home.tmp/compose.json"
folder=$(module "$ISTIO")
install -m 644 "$folder/kubernetes/customresourcedefinitions.gen.yaml" "$home.tmp/crds/istio.yaml"
folder=$(module "$ENVOY_GATEWAY")/charts/gateway-crds-helm/templates
install -m 644 -t "$home.tmp/crds" "$folder/standard-gatewayapi-crds.yaml" "$folder"/generated/*.yaml
mv "$home.tmp" "$home"
stamp deploy-schemas "$version"
printf '%s\n' "$home"
