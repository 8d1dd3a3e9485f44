#!/bin/sh
# Links the filter without the callbacks that it has no use for: cargo calls it in place of rust-lld, which rustc has put on
# PATH. The SDK exports every callback of the ABI, rustc has no way to leave one out, and a host makes each one that is
# exported: two and more for each response, only to learn that there is nothing to do.
set -eu
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    if [ "$argument" = --export ] && [ "$count" -gt 0 ]; then
        case $1 in
        proxy_on_done | proxy_on_log | proxy_on_response_* | proxy_on_grpc_* | proxy_on_downstream_* | proxy_on_upstream_* | \
            proxy_on_new_connection | proxy_on_queue_ready | proxy_on_foreign_function)
            shift
            count=$((count - 1))
            continue
            ;;
        esac
    fi
    set -- "$@" "$argument"
done
exec rust-lld "$@"
