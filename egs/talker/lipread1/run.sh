#!/usr/bin/env bash
# All stages of conf/NAME.yaml, or some of them: ./run.sh [NAME] --stage 3 --stop-stage 5, ./run.sh [NAME] --list
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=ce
if [[ ${1-} && ${1-} != -* ]]; then name=$1; shift; fi
PATH="$here/../../../.venv/bin:$PATH" exec speechkd run "$here/conf/$name.yaml" "$@"
