#!/usr/bin/env bash
# Asks the tools that others use about deploy/: kustomize builds what it is told to, kubeconform finds nothing in it.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

KUBECONFORM=github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
KUSTOMIZE=sigs.k8s.io/kustomize/kustomize/v5@v5.7.1

lock
kubeconform=$(go_install "$KUBECONFORM")
kustomize=$(go_install "$KUSTOMIZE")
cd "$ROOT"
check() {
    "$kubeconform" -strict -summary -schema-location 'tests/deploy/schemas/{{.ResourceKind}}{{.KindSuffix}}.json' "$@"
}
check deploy/istio deploy/envoy-gateway
# ConfigMap is a kind that only kustomize makes here.
"$kustomize" build deploy/kubernetes | check -skip ConfigMap -
