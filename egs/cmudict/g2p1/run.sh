#!/usr/bin/env bash
# All stages of this recipe, or some of them: ./run.sh --stage 3 --stop-stage 5, ./run.sh --list
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH="$here/../../../.venv/bin:$PATH" exec speechkd run "$here/conf/g2p.yaml" "$@"
