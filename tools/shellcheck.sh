#!/usr/bin/env bash
# Runs shellcheck over every script of the checkout, also those without a suffix: `make check`.
set -euo pipefail
cd "$(dirname "$0")/.."
task=shellcheck
# shellcheck source=tools/lib.sh
. tools/lib.sh
need shellcheck

scripts=()
while read -r -d '' file; do
    [ -f "$file" ] || continue # deleted, and not yet committed
    case $file in
        *.sh) scripts+=("$file") ;;
        *)
            read -r first <"$file" 2>/dev/null || true
            case ${first:-} in '#!'*/sh* | '#!'*bash*) scripts+=("$file") ;; esac
            ;;
    esac
done < <(git ls-files -z --cached --others --exclude-standard)
[ ${#scripts[@]} -gt 30 ] || die "found ${#scripts[@]} scripts only"
shellcheck -x "${scripts[@]}"
say "${#scripts[@]} scripts, no fault"
